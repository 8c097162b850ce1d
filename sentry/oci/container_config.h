// ContainerConfig: what an OCI bundle says of a run beyond what a command line can say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "platform/mapped_ids.h"
#include "platform/platform.h"
#include "sandbox/id_map.h"
#include "sandbox/unique_fd.h"
#include "sentry/task.h"
#include "vfs/core/dentry.h"
#include "vfs/core/device_rules.h"

namespace sandbox::oci {

class ContainerControl;

// The ids that files have on the disk (inside), and those of the host that a bind shows them as (outside).
struct MountIds {
  IdMap users, groups;
  platform::MappedMounts mounts = platform::MappedMounts::kTopOnly;
};

// One of the mounts, which are made in their order.
struct MountEntry {
  // kRemount: another look of what is at `destination`.
  enum class Kind { kBind, kTmpfs, kProc, kSysfs, kCgroup, kDevices, kDevpts, kMessageQueues, kRemount } kind;
  std::string destination;  // absolute, inside
  std::string source;       // kBind: absolute host path; else what mountinfo shows
  vfs::MountFlags flags;
  std::optional<MountIds> ids;  // kBind
  // MS_SHARED and its like, with MS_REC or not, among the container's own mounts.
  unsigned long propagation = 0;
  // kTmpfs and kDevices.
  uint64_t size_bytes = 0, inode_limit = 0;  // 0: the kernel's default
  uint32_t mode = 01777, uid = 0, gid = 0;
  enum class Contents { kEmpty, kCopyUp } contents = Contents::kEmpty;
};

// A device, or a FIFO, that is at `path`.
struct DeviceNode {
  std::string path;  // absolute, inside
  mode_t type = 0;   // S_IFCHR, S_IFBLK or S_IFIFO
  unsigned major = 0, minor = 0;
  std::optional<mode_t> permissions;
  std::optional<uint32_t> uid, gid;  // inside
};

struct JoinedNamespace {
  platform::NamespaceKind kind;
  std::string path;  // on the host
};

struct ContainerConfig {
  std::vector<MountEntry> mounts;
  std::vector<DeviceNode> devices;  // besides those that every container has
  vfs::DeviceRules device_rules;    // of those that it has
  std::vector<std::string> read_only_paths;
  unsigned long root_propagation = 0;  // as MountEntry::propagation, of "/"
  // What was set in its namespaces, and /proc/sys is to show: "net/ipv4/ip_forward" and its value.
  std::map<std::string, std::string> sysctls;

  // kExclusive: nothing but the container changes its root, of which the sentry then remembers more.
  enum class RootAccess { kShared, kExclusive } root_access = RootAccess::kShared;

  std::vector<platform::NamespaceKind> new_namespaces;
  std::vector<JoinedNamespace> joined_namespaces;
  // Where the configuration has a map: the container's ids to the caller's.
  std::optional<IdMap> uid_map, gid_map;

  CapabilitySets capabilities;
  std::vector<platform::ResourceLimit> limits;
  enum class LimitsAbove { kFail, kClamp } limits_above = LimitsAbove::kFail;  // the caller's own hard limits
  std::optional<unsigned long> personality;
  std::vector<platform::ClockOffset> clock_offsets;  // of a new time namespace
  mode_t umask = 022;
  NoNewPrivs no_new_privs = NoNewPrivs::kUnset;
  std::string domainname;

  enum class Terminal { kNone, kOwn } terminal = Terminal::kNone;
  unsigned short console_height = 0, console_width = 0;  // 0: unknown

  // The groups that were made for it, and how /proc/PID/cgroup will name them.
  std::vector<int> cgroup_join_files;
  std::string cgroup_membership;

  // kAfterHooks: hooks of `create` may mount something in the root, or change it otherwise.
  enum class TreeTime { kAtOnce, kAfterHooks } tree_time = TreeTime::kAtOnce;

  ContainerControl* control = nullptr;  // outlives the run
};

}  // namespace sandbox::oci
