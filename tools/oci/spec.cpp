// `spec`: a config.json to begin with.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sandbox/write_all.h"
#include "tools/json_text.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

using Json = nlohmann::ordered_json;

Json mount(const char* destination, const char* type, const char* source, std::vector<std::string> options) {
  Json entry{{"destination", destination}, {"type", type}, {"source", source}};
  if (!options.empty()) entry["options"] = options;
  return entry;
}

Json mounts(bool is_rootless) {
  std::vector<std::string> terminals{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (!is_rootless) terminals.push_back("gid=5");
  Json list{mount("/proc", "proc", "proc", {}),
            mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
            mount("/dev/pts", "devpts", "devpts", terminals),
            mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
            mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
            mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
  return list;
}

Json linux_part(bool is_rootless) {
  Json namespaces = Json::array();
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
    namespaces.push_back({{"type", type}});
  if (is_rootless) namespaces.push_back({{"type", "user"}});
  Json part;
  if (is_rootless) {
    part["uidMappings"] = {{{"containerID", 0}, {"hostID", ::geteuid()}, {"size", 1}}};
    part["gidMappings"] = {{{"containerID", 0}, {"hostID", ::getegid()}, {"size", 1}}};
  } else {
    part["resources"] = {{"devices", {{{"allow", false}, {"access", "rwm"}}}}};
  }
  part["namespaces"] = namespaces;
  part["maskedPaths"] = {"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
                         "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                         "/sys/firmware",       "/proc/scsi"};
  part["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return part;
}

Json document(bool is_rootless) {
  const Json capabilities{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  Json process{{"terminal", true},
               {"user", {{"uid", 0}, {"gid", 0}}},
               {"args", {"sh"}},
               {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
               {"cwd", "/"}};
  process["capabilities"] = {
      {"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}};
  process["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}};
  process["noNewPrivileges"] = true;
  return {{"ociVersion", "1.2.0"},
          {"process", process},
          {"root", {{"path", "rootfs"}, {"readonly", true}}},
          {"hostname", "sandbox"},
          {"mounts", mounts(is_rootless)},
          {"linux", linux_part(is_rootless)}};
}

}  // namespace

Configured<int> command_spec(const Runtime&, const Arguments& arguments) {
  const std::string path = arguments.text("bundle", ".") + "/config.json";
  const std::string text = json_document(document(arguments.has("rootless"))) + "\n";
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  const Result<void> written = file ? write_all(file.get(), text) : last_error();
  if (!written)
    return failure(fmt::format("write {}", path), written.error(),
                   "remove the old one, or --bundle DIRECTORY");
  return 0;
}

}  // namespace sandbox::tools::oci
