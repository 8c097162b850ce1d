// Bundle: the config.json of an OCI bundle as types (runtime-spec config.md, config-linux.md).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sentry/oci/container_config.h"
#include "sentry/oci/container_groups.h"
#include "sentry/sandbox_config.h"
#include "tools/oci/json_node.h"
#include "tools/oci/memory_policy.h"

namespace sandbox::tools::oci {

using namespace sandbox::oci;

struct Scheduler {
  unsigned policy = 0;  // SCHED_*
  uint64_t flags = 0;   // SCHED_FLAG_*
  int nice = 0, priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
};

struct Process {
  std::vector<std::string> args, env;
  std::string cwd = "/";
  SandboxConfig::User user{};
  mode_t umask = 022;
  CapabilitySets capabilities;
  std::vector<platform::ResourceLimit> limits;
  bool has_terminal = false;
  unsigned short console_height = 0, console_width = 0;
  NoNewPrivs no_new_privs = NoNewPrivs::kUnset;
  std::optional<int> oom_score_adj;
  std::optional<int> io_priority;  // as ioprio_set(2) takes it
  std::optional<Scheduler> scheduler;
  // Of one that `exec` starts: where it is made, and where it runs once it is in the group; empty: as it
  // comes.
  std::vector<int> initial_cpus, final_cpus;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::optional<std::vector<std::string>> env;  // nothing: the runtime's own
  std::optional<std::chrono::seconds> timeout;
};
struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct Bundle {
  std::string directory;  // absolute
  std::string oci_version;
  std::string rootfs;  // absolute
  bool is_root_read_only = false;
  unsigned long root_propagation = 0;  // MS_*
  Process process;
  std::string hostname, domainname;
  std::vector<MountEntry> mounts;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  // What annotations choose.
  std::optional<platform::EngineKind> engine;
  SandboxConfig::Overlay overlay = SandboxConfig::Overlay::kNone;
  ContainerConfig::RootAccess root_access = ContainerConfig::RootAccess::kShared;

  std::vector<platform::NamespaceKind> new_namespaces;
  std::vector<JoinedNamespace> joined_namespaces;
  std::optional<IdMap> uid_map, gid_map;
  std::vector<DeviceNode> devices;
  std::string cgroups_path;
  std::vector<GroupSetting> settings;
  vfs::DeviceRules device_rules;
  std::map<std::string, std::string> sysctls;
  std::shared_ptr<const platform::SeccompFilter> seccomp;  // null: none
  std::vector<std::string> masked_paths, read_only_paths;
  std::optional<unsigned long> personality;
  std::vector<platform::ClockOffset> clock_offsets;
  std::optional<MemoryPolicy> memory_policy;
  std::vector<std::string> warnings;  // of what is done otherwise than it says

  bool has_new(platform::NamespaceKind kind) const;
  // New, or joined and not the one that this process is in: to change it does not change the host.
  bool has_own(platform::NamespaceKind kind) const;
  const JoinedNamespace* joined(platform::NamespaceKind kind) const;
};

// Reads and checks DIRECTORY/config.json. Failures name the property that is wrong or not supported.
Configured<Bundle> read_bundle(const std::string& directory);
Configured<Bundle> bundle_of(const nlohmann::json& document, const std::string& directory);

// Parts of it, each in a file of its own. What is wrong is noted in the node's problems.
Process read_process(const JsonNode& process);
// `linux_node`: its id maps are those of mounts that say `idmap` and have none of their own.
std::vector<MountEntry> read_mounts(const JsonNode& mounts, const std::string& bundle_directory,
                                    const JsonNode& linux_node);
std::optional<IdMap> read_id_map(const JsonNode& mappings);  // nothing: there are none
void read_annotations(const JsonNode& annotations, Bundle& bundle);
void read_linux(const JsonNode& linux_node, Bundle& bundle);
Configured<std::shared_ptr<const platform::SeccompFilter>> read_seccomp(const JsonNode& seccomp);
std::vector<GroupSetting> read_resources(const JsonNode& resources);
vfs::DeviceRules read_device_rules(const JsonNode& devices);
Hooks read_hooks(const JsonNode& hooks);

// "rslave" as mount(2) takes it; 0: private, which is no change; nothing for any other word.
std::optional<unsigned long> propagation_called(const std::string& name);
// The names of mount options that are understood, for the list of features.
std::vector<std::string> mount_option_names();
// Those of the namespaces a container can have.
std::vector<std::string> namespace_names();
// "CAP_CHOWN" and its number; by number.
std::vector<std::string> capability_names();
std::optional<int> capability_number(const std::string& name);

// What run_sandbox takes.
SandboxConfig sandbox_config(const Bundle& bundle);

}  // namespace sandbox::tools::oci
