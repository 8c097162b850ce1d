// ContainerConfig: what an OCI bundle says of a run beyond what a command line can say.
#pragma once

#include <string>
#include <vector>

#include "platform/platform.h"
#include "sandbox/id_map.h"
#include "sandbox/unique_fd.h"
#include "vfs/core/dentry.h"

namespace sandbox::oci {

class ContainerControl;

// One of the mounts, which are made in their order.
struct MountEntry {
  enum class Kind { kBind, kTmpfs, kProc, kSysfs, kCgroup, kDevices, kDevpts, kMessageQueues } kind;
  std::string destination;  // absolute, inside
  std::string source;       // kBind: absolute host path; else what mountinfo shows
  vfs::MountFlags flags;
  // kTmpfs and kDevices.
  uint64_t size_bytes = 0, inode_limit = 0;  // 0: the kernel's default
  uint32_t mode = 01777, uid = 0, gid = 0;
  enum class Contents { kEmpty, kCopyUp } contents = Contents::kEmpty;
};

// A device of the host that is shown, and may be opened, at `path`.
struct DeviceNode {
  std::string path;
  unsigned major = 0, minor = 0;
};

struct JoinedNamespace {
  platform::NamespaceKind kind;
  std::string path;  // on the host
};

struct ContainerConfig {
  std::vector<MountEntry> mounts;
  std::vector<DeviceNode> devices;  // besides those that every container has
  std::vector<std::string> read_only_paths;

  std::vector<platform::NamespaceKind> new_namespaces;
  std::vector<JoinedNamespace> joined_namespaces;
  // Where the configuration has a map: the container's ids to the caller's.
  std::optional<IdMap> uid_map, gid_map;

  platform::CapabilitySets capabilities;
  std::vector<platform::ResourceLimit> limits;
  enum class LimitsAbove { kFail, kClamp } limits_above = LimitsAbove::kFail;  // the caller's own hard limits
  std::optional<unsigned long> personality;
  mode_t umask = 022;
  std::string domainname;

  enum class Terminal { kNone, kOwn } terminal = Terminal::kNone;
  unsigned short console_height = 0, console_width = 0;  // 0: unknown

  // The groups that were made for it, and how /proc/PID/cgroup will name them.
  std::vector<int> cgroup_join_files;
  std::string cgroup_membership;

  ContainerControl* control = nullptr;  // outlives the run
};

}  // namespace sandbox::oci
