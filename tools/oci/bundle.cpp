// A whole config.json, and the sandbox that it describes.
#include "tools/oci/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "sandbox/numbers.h"
#include "tools/run_options.h"

namespace sandbox::tools::oci {

namespace {

using platform::NamespaceKind;

// A number of a version off the front: no sign, no zero in front of it.
std::optional<unsigned> take_number(std::string_view& rest) {
  const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
  if (digits.size() > 1 && digits.starts_with('0')) return std::nullopt;
  rest.remove_prefix(digits.size());
  return parse_number<unsigned>(digits);
}

bool take_dot(std::string_view& rest) {
  if (!rest.starts_with('.')) return false;
  rest.remove_prefix(1);
  return true;
}

// SemVer 2.0.0: any version from 1.0.0 on that is no later major one, with or without "-rc.1" and "+build".
bool is_supported_version(std::string_view rest) {
  const bool is_first = take_number(rest) == 1 && take_dot(rest);
  const bool has_numbers = is_first && take_number(rest) && take_dot(rest) && take_number(rest);
  const bool has_suffix = rest.size() > 1 && (rest[0] == '-' || rest[0] == '+');
  const bool is_clean = std::ranges::all_of(
      rest, [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '-' || c == '.' || c == '+'); });
  return has_numbers && (rest.empty() || (has_suffix && is_clean));
}

std::vector<Hook> read_hook_list(const JsonNode& node) {
  std::vector<Hook> hooks;
  for (const JsonNode& item : node.items()) {
    Hook hook{.path = item["path"].text(), .args = item["args"].texts()};
    if (item["env"]) hook.env = item["env"].texts();
    if (!hook.path.starts_with('/')) item["path"].fail("it is no absolute path");
    if (const JsonNode timeout = item["timeout"]) {
      // Of more the clock knows nothing.
      constexpr int64_t kLongest_s = 1'000'000'000;
      hook.timeout = std::chrono::seconds(std::min(timeout.number(), kLongest_s));
      if (timeout.number() <= 0) timeout.fail("it is not greater than 0");
    }
    hooks.push_back(std::move(hook));
  }
  return hooks;
}

// Not a link, and its last name no link either: what it names may not change under the sandbox's feet.
void read_root(const JsonNode& root, Bundle& bundle) {
  std::string path = root["path"].text();
  if (path.empty()) return root["path"].fail("it is missing");
  if (!path.starts_with('/')) path = bundle.directory + "/" + path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0)
    return root["path"].fail(fmt::format("{}: {}", path, reason_in_words(Errno::last())),
                             "a directory with the container's files");
  if (S_ISLNK(status.st_mode))
    return root["path"].fail(fmt::format("{} is a symbolic link", path), "its target");
  if (!S_ISDIR(status.st_mode)) return root["path"].fail(fmt::format("{} is no directory", path));
  bundle.rootfs = real_path(path).value_or(path);
  bundle.is_root_read_only = root["readonly"].is_true();
}

void check_names(const JsonNode& document, Bundle& bundle) {
  constexpr size_t kLongestName = 64;
  for (auto [key, name] : {std::pair{"hostname", &bundle.hostname}, {"domainname", &bundle.domainname}}) {
    *name = document[key].text();
    if (name->size() > kLongestName) document[key].fail("it is longer than 64 bytes");
    if (!name->empty() && !bundle.has_own(NamespaceKind::kUts))
      document[key].fail("the container has no UTS namespace of its own", "a new one in linux.namespaces");
    const std::string sysctl = std::string("kernel/") + key;
    if (!name->empty() && bundle.sysctls.contains(sysctl) && bundle.sysctls[sysctl] != *name)
      document[key].fail(fmt::format("linux.sysctl has another {}", key));
    // Names of a namespace that was there before are set like its sysctls, from within.
    if (!name->empty() && bundle.joined(NamespaceKind::kUts) != nullptr) bundle.sysctls[sysctl] = *name;
  }
}

bool is_in_user_namespace() {
  int64_t inside = 0, outside = 0, count = 0;
  FILE* map = std::fopen("/proc/self/uid_map", "re");
  if (map == nullptr) return true;
  const bool is_read = std::fscanf(map, "%ld %ld %ld", &inside, &outside, &count) == 3;
  std::fclose(map);
  return !is_read || inside != 0 || outside != 0 || count != UINT32_MAX;
}

}  // namespace

bool Bundle::has_new(NamespaceKind kind) const { return std::ranges::count(new_namespaces, kind) > 0; }

bool Bundle::has_own(NamespaceKind kind) const {
  const JoinedNamespace* one = joined(kind);
  if (one == nullptr) return has_new(kind);
  struct stat theirs{}, mine{};
  const std::string own = fmt::format("/proc/self/ns/{}", platform::file_of(kind));
  const bool are_known = ::stat(one->path.c_str(), &theirs) == 0 && ::stat(own.c_str(), &mine) == 0;
  return !are_known || theirs.st_dev != mine.st_dev || theirs.st_ino != mine.st_ino;
}

const JoinedNamespace* Bundle::joined(NamespaceKind kind) const {
  auto found = std::ranges::find(joined_namespaces, kind, &JoinedNamespace::kind);
  return found == joined_namespaces.end() ? nullptr : &*found;
}

Hooks read_hooks(const JsonNode& node) {
  return {.prestart = read_hook_list(node["prestart"]),
          .create_runtime = read_hook_list(node["createRuntime"]),
          .create_container = read_hook_list(node["createContainer"]),
          .start_container = read_hook_list(node["startContainer"]),
          .poststart = read_hook_list(node["poststart"]),
          .poststop = read_hook_list(node["poststop"])};
}

Configured<Bundle> bundle_of(const nlohmann::json& document, const std::string& directory) {
  Problems problems;
  const JsonNode root(&document, "", problems);
  Bundle bundle{.directory = directory};
  bundle.oci_version = root["ociVersion"].text();
  if (!is_supported_version(bundle.oci_version))
    root["ociVersion"].fail(fmt::format("`{}` is no version that is supported", bundle.oci_version),
                            "1.0.0 or later");
  read_root(root["root"], bundle);
  if (!root["process"]) root["process"].fail("it is missing");
  bundle.process = read_process(root["process"]);
  bundle.mounts = read_mounts(root["mounts"], directory, root["linux"]);
  bundle.hooks = read_hooks(root["hooks"]);
  read_annotations(root["annotations"], bundle);
  if (bundle.annotations.contains("")) root["annotations"].fail("a key is empty");
  if (!root["linux"]) root["linux"].fail("it is missing");
  read_linux(root["linux"], bundle);
  check_names(root, bundle);
  for (const char* platform_name : {"solaris", "windows", "vm", "zos", "freebsd"})
    root[platform_name].refuse("it is of another platform");
  if (!problems.is_empty()) return std::unexpected(problems.first());
  bundle.warnings = problems.warnings();
  bundle.seccomp = TRY(read_seccomp(root["linux"]["seccomp"]));
  return bundle;
}

Configured<Bundle> read_bundle(const std::string& directory) {
  nlohmann::json document = TRY(read_json_file(directory + "/config.json"));
  return bundle_of(document, directory);
}

SandboxConfig sandbox_config(const Bundle& bundle) {
  SandboxConfig config;
  config.argv = bundle.process.args;
  config.environment = bundle.process.env;
  config.working_directory = bundle.process.cwd;
  config.rootfs = bundle.rootfs;
  config.overlay = bundle.overlay;
  config.engine = bundle.engine;
  config.is_root_read_only = bundle.is_root_read_only;
  config.masked_paths = bundle.masked_paths;
  config.user = bundle.process.user;
  config.hostname = bundle.hostname;  // shown, also where it is not set by the sentry
  config.init = platform::LaunchOptions::Init::kProgram;
  config.network = SandboxConfig::Network::kHost;

  ContainerConfig container;
  container.mounts = bundle.mounts;
  container.devices = bundle.devices;
  container.device_rules = bundle.device_rules;
  container.sysctls = bundle.sysctls;
  if (!bundle.domainname.empty()) container.sysctls["kernel/domainname"] = bundle.domainname;
  container.root_access = bundle.root_access;
  container.root_propagation = bundle.root_propagation;
  if (!bundle.hooks.create_container.empty()) container.tree_time = ContainerConfig::TreeTime::kAfterHooks;
  container.read_only_paths = bundle.read_only_paths;
  container.new_namespaces = bundle.new_namespaces;
  container.joined_namespaces = bundle.joined_namespaces;
  container.uid_map = bundle.uid_map;
  container.gid_map = bundle.gid_map;
  container.capabilities = bundle.process.capabilities;
  container.limits = bundle.process.limits;
  // The defaults of an engine that an ordinary user runs are more than that user may have.
  if (is_in_user_namespace() || ::geteuid() != 0)
    container.limits_above = ContainerConfig::LimitsAbove::kClamp;
  container.personality = bundle.personality;
  container.clock_offsets = bundle.clock_offsets;
  container.umask = bundle.process.umask;
  container.no_new_privs = bundle.process.no_new_privs;
  if (bundle.has_new(NamespaceKind::kUts)) container.domainname = bundle.domainname;
  if (bundle.process.has_terminal) container.terminal = ContainerConfig::Terminal::kOwn;
  container.console_height = bundle.process.console_height;
  container.console_width = bundle.process.console_width;
  config.seccomp = bundle.seccomp;
  config.container = std::move(container);
  return config;
}

}  // namespace sandbox::tools::oci
