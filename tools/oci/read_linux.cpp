// The linux part of config.json: namespaces, id maps, devices, sysctls, seccomp and paths.
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "sandbox/clock.h"
#include "tools/oci/bundle.h"
#include "tools/seccomp_profile.h"

namespace sandbox::tools::oci {

namespace {

using platform::NamespaceKind;

struct NamespaceWord {
  const char* name;
  NamespaceKind kind;
};
constexpr NamespaceWord kNamespaces[] = {
    {"pid", NamespaceKind::kPid},       {"network", NamespaceKind::kNet}, {"mount", NamespaceKind::kMount},
    {"ipc", NamespaceKind::kIpc},       {"uts", NamespaceKind::kUts},     {"user", NamespaceKind::kUser},
    {"cgroup", NamespaceKind::kCgroup}, {"time", NamespaceKind::kTime},
};

void read_namespaces(const JsonNode& node, Bundle& bundle) {
  bool has_mount = false;
  std::vector<NamespaceKind> seen;
  for (const JsonNode& item : node.items()) {
    const std::string type = item["type"].text(), path = item["path"].text();
    auto word = std::ranges::find_if(kNamespaces, [&](const auto& one) { return type == one.name; });
    if (word == std::end(kNamespaces)) {
      item["type"].fail(fmt::format("`{}` is no kind of namespace that is supported", type));
      continue;
    }
    if (std::ranges::count(seen, word->kind) > 0) item.fail(fmt::format("there are two of `{}`", type));
    seen.push_back(word->kind);
    has_mount |= word->kind == NamespaceKind::kMount;
    if (path.empty()) {
      bundle.new_namespaces.push_back(word->kind);
    } else if (word->kind == NamespaceKind::kMount) {
      item["path"].fail("the sentry's file system cannot be joined", "a mount namespace without a path");
    } else if (!path.starts_with('/')) {
      item["path"].fail("it is no absolute path");
    } else {
      bundle.joined_namespaces.push_back({word->kind, path});
    }
  }
  if (!has_mount)
    node.fail("there is no mount namespace, and a sandbox always has one", R"({"type": "mount"})");
}

// Those that the sandbox has in any case.
struct StandardDevice {
  const char* path;
  unsigned major, minor;
};
constexpr StandardDevice kStandardDevices[] = {
    {"/dev/null", 1, 3},    {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8},
    {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {"/dev/ptmx", 5, 2}, {"/dev/console", 5, 1},
};

void read_device(const JsonNode& node, Bundle& bundle) {
  constexpr std::pair<const char*, mode_t> kTypes[] = {
      {"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};
  DeviceNode device{.path = node["path"].text()};
  const std::string type = node["type"].text();
  auto known = std::ranges::find_if(kTypes, [&](const auto& one) { return type == one.first; });
  if (known == std::end(kTypes))
    return node["type"].fail(fmt::format("`{}` is no type of device", type), "c, b, u or p");
  device.type = known->second;
  if (!device.path.starts_with('/') || (device.path + "/").find("/../") != std::string::npos)
    return node["path"].fail("it is no absolute path without `..`");
  if (device.type != S_IFIFO) {
    device.major = static_cast<unsigned>(node["major"].required_number_between(0, 4095));
    device.minor = static_cast<unsigned>(node["minor"].required_number_between(0, 1048575));
  }
  if (node["fileMode"]) device.permissions = static_cast<mode_t>(node["fileMode"].number() & 0777);
  for (auto [key, id] : {std::pair{"uid", &device.uid}, {"gid", &device.gid}})
    if (node[key]) *id = static_cast<uint32_t>(node[key].number_between(0, UINT32_MAX - 1));
  auto standard = std::ranges::find_if(kStandardDevices,
                                       [&](const StandardDevice& one) { return device.path == one.path; });
  if (standard != std::end(kStandardDevices)) {
    const bool is_same =
        device.type == S_IFCHR && device.major == standard->major && device.minor == standard->minor;
    if (!is_same)
      node["path"].fail(fmt::format("it is always the device {}:{}", standard->major, standard->minor));
    return;
  }
  if (std::ranges::count(bundle.devices, device.path, &DeviceNode::path) > 0)
    return node["path"].fail(fmt::format("there are two of {}", device.path));
  bundle.devices.push_back(std::move(device));
}

void read_sysctls(const JsonNode& node, Bundle& bundle) {
  static constexpr const char* kIpc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                         "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                         "kernel.shmmni", "kernel.shm_rmid_forced"};
  for (const auto& [key, value] : node.text_map()) {
    std::string name = key;
    // "net/ipv4/conf/eth0.1/forwarding" has its dots for itself.
    if (name.find('/') == name.npos) std::ranges::replace(name, '.', '/');
    std::string dotted = name;
    std::ranges::replace(dotted, '/', '.');
    NamespaceKind kind;
    if (dotted.starts_with("net."))
      kind = NamespaceKind::kNet;
    else if (dotted.starts_with("fs.mqueue.") || std::ranges::count(kIpc, dotted) > 0)
      kind = NamespaceKind::kIpc;
    else if (dotted == "kernel.hostname")
      return node.fail("kernel.hostname has a property of its own", "hostname");
    else if (dotted == "kernel.domainname")
      kind = NamespaceKind::kUts;
    else
      return node.fail(fmt::format("{} is not of a namespace: it would change the host", dotted));
    if (("/" + name + "/").find("/../") != std::string::npos)
      return node.fail(fmt::format("{} leads elsewhere", dotted));
    if (!bundle.has_own(kind))
      return node.fail(fmt::format("{} would change the host, whose namespace the container shares", dotted));
    bundle.sysctls[name] = value;
  }
}

void read_personality(const JsonNode& node, Bundle& bundle) {
  if (!node) return;
  const std::string domain = node["domain"].text();
  if (domain == "LINUX")
    bundle.personality = PER_LINUX;
  else if (domain == "LINUX32")
    bundle.personality = PER_LINUX32;
  else
    node["domain"].fail(fmt::format("`{}` is neither LINUX nor LINUX32", domain));
  node["flags"].refuse("flags are not defined by the specification yet");
}

void read_time_offsets(const JsonNode& node, Bundle& bundle) {
  const std::vector<std::string> clocks = node.keys();
  if (!clocks.empty() && !bundle.has_new(NamespaceKind::kTime))
    return node.fail("there is no new time namespace whose clocks they could be",
                     R"({"type": "time"} in linux.namespaces)");
  constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
  constexpr int64_t kLatest = INT64_MAX / kNanosecondsPerSecond / 2;  // KTIME_SEC_MAX / 2, as Linux takes it
  for (const std::string& name : clocks) {
    const JsonNode offset = node[name];
    const bool is_boot_time = name == "boottime";
    if (!is_boot_time && name != "monotonic") {
      offset.fail("no time namespace has such a clock of its own", "monotonic or boottime");
      continue;
    }
    const clockid_t clock = is_boot_time ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
    const int64_t present = static_cast<int64_t>(clock_ns(clock) / kNanosecondsPerSecond);
    bundle.clock_offsets.push_back(
        {.clock = clock,
         .seconds = offset["secs"] ? offset["secs"].number_between(-present, kLatest - present - 1) : 0,
         .nanoseconds = offset["nanosecs"] ? static_cast<uint32_t>(offset["nanosecs"].number_between(
                                                 0, kNanosecondsPerSecond - 1))
                                           : 0});
  }
}

}  // namespace

std::optional<IdMap> read_id_map(const JsonNode& node) {
  std::vector<IdMap::Range> ranges;
  for (const JsonNode& item : node.items()) {
    auto id = [&](const char* key) {
      return static_cast<uint32_t>(item[key].required_number_between(0, UINT32_MAX));
    };
    const IdMap::Range range{id("containerID"), id("hostID"), id("size")};
    if (range.count == 0) item["size"].fail("it is 0");
    ranges.push_back(range);
  }
  if (ranges.empty()) return std::nullopt;
  return IdMap(std::move(ranges));
}

std::vector<std::string> namespace_names() {
  std::vector<std::string> names;
  for (const NamespaceWord& word : kNamespaces) names.emplace_back(word.name);
  std::ranges::sort(names);
  return names;
}

void read_linux(const JsonNode& node, Bundle& bundle) {
  read_namespaces(node["namespaces"], bundle);
  bundle.uid_map = read_id_map(node["uidMappings"]);
  bundle.gid_map = read_id_map(node["gidMappings"]);
  if (bundle.uid_map && !bundle.has_new(NamespaceKind::kUser))
    node["uidMappings"].fail("they need a new user namespace", R"({"type": "user"} in linux.namespaces)");
  for (const JsonNode& device : node["devices"].items()) read_device(device, bundle);
  bundle.cgroups_path = node["cgroupsPath"].text();
  bundle.settings = read_resources(node["resources"]);
  bundle.device_rules = read_device_rules(node["resources"]["devices"]);
  read_sysctls(node["sysctl"], bundle);
  for (const char* key : {"listenerPath", "listenerMetadata"})
    node["seccomp"][key].refuse("calls cannot be handed to another process: they are the sentry's");
  bundle.masked_paths = node["maskedPaths"].texts();
  bundle.read_only_paths = node["readonlyPaths"].texts();
  for (const char* key : {"maskedPaths", "readonlyPaths"})
    for (const JsonNode& path : node[key].items())
      if (!path.text().starts_with('/') || ("/" + path.text() + "/").find("/../") != std::string::npos)
        path.fail("it is no absolute path without `..`");
  read_personality(node["personality"], bundle);
  const std::string propagation = node["rootfsPropagation"].text();
  const auto kind = propagation_called(propagation.empty() ? "private" : propagation);
  if (!kind)
    node["rootfsPropagation"].fail(fmt::format("`{}` is not one of its values", propagation), "private");
  bundle.root_propagation = kind.value_or(0);
  if (propagation.ends_with("slave") || propagation.ends_with("shared"))
    node["rootfsPropagation"].warn("what is mounted on the host later is not seen inside");
  node["mountLabel"].refuse("SELinux labels are not applied", "label=disable");
  read_time_offsets(node["timeOffsets"], bundle);
  node["intelRdt"].refuse("cache allocation is not supported");
  bundle.memory_policy = read_memory_policy(node["memoryPolicy"]);
  node["netDevices"].refuse("network devices are not moved", "let the engine do it");
}

Configured<std::shared_ptr<const platform::SeccompFilter>> read_seccomp(const JsonNode& node) {
  if (!node) return nullptr;
  return compile_seccomp_profile(nlohmann::ordered_json(node.value()), "use linux.seccomp");
}

}  // namespace sandbox::tools::oci
