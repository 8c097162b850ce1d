// CgroupDirectories: the control groups a process is in, as open directories, on v1, v2 and mixed hosts.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sandbox/cgroup_view.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::cgroup {

// By their v2 meaning. kIo is blkio on v1. On v2 kCpuacct (cpu.stat) and kFreezer (cgroup.freeze) are no
// controllers but files that every group has.
enum class Controller { kMemory, kCpu, kCpuacct, kCpuset, kPids, kIo, kFreezer };
inline constexpr std::array kControllers = {Controller::kMemory, Controller::kCpu,  Controller::kCpuacct,
                                            Controller::kCpuset, Controller::kPids, Controller::kIo,
                                            Controller::kFreezer};

using HierarchyVersion = CgroupHierarchy::Version;

// "memory"; for kIo "blkio" on v1 and "io" on v2.
std::string_view name_of(Controller controller, HierarchyVersion version);

// One group in one hierarchy.
struct GroupDirectory {
  UniqueFd directory;  // O_PATH, for openat(2); closed where the host has no such hierarchy, or hides it
  HierarchyVersion version = HierarchyVersion::kV2;
  std::string path;       // in its hierarchy, as /proc/PID/cgroup tells it: "/user.slice/box"
  std::string host_path;  // where it is mounted: "/sys/fs/cgroup/memory/user.slice/box"
  // How often openat(".."), which leads to the parent group, stays below the mount: ancestors that may hold
  // a smaller limit. 0: the topmost group that is visible here.
  size_t ancestor_count = 0;

  explicit operator bool() const { return directory.is_open(); }
};

// The groups of one process. A mixed (hybrid) host has some controllers on v1 and the others on v2.
struct CgroupDirectories {
  // kV2: no controller is on v1. What a workload that looks at /sys/fs/cgroup should take the host for.
  HierarchyVersion version = HierarchyVersion::kV2;
  // By Controller. On v2, where a controller ends at an ancestor (cgroup.subtree_control), that ancestor: it
  // is the group that is charged. A topmost group lacks most limit files (ENOENT: no limit).
  std::array<GroupDirectory, kControllers.size()> controllers;
  // The v2 group itself, controllers or not: pressure files, cgroup.kill. Open on hybrid hosts too.
  GroupDirectory unified;

  GroupDirectory& of(Controller controller) { return controllers[static_cast<size_t>(controller)]; }
  const GroupDirectory& of(Controller controller) const {
    return controllers[static_cast<size_t>(controller)];
  }
};

// What discovery reads; a test gives recorded texts and a recorded tree.
struct CgroupSources {
  std::string prefix;      // goes before each mount point; empty for the host itself
  std::string membership;  // /proc/PID/cgroup
  std::string mounts;      // /proc/PID/mountinfo
};
// Of the calling process. Call it before the sentry enters namespaces of its own. Errors: those of open,
// read.
Result<CgroupSources> own_cgroup_sources();

// A controller whose mount does not show the process's group (a group outside of what a container may see)
// counts as missing. A line that cannot be understood is skipped.
CgroupDirectories discover_cgroups(const CgroupSources& sources);

// `steps` levels above the group; closed when that is not visible.
GroupDirectory ancestor_of(const GroupDirectory& group, size_t steps);
// Where a controller of v2 acts for the members of `group`: itself or the nearest ancestor that has the
// controller; closed when none has.
GroupDirectory charged_group(const GroupDirectory& group, Controller controller);

// The words of cgroup.controllers and cgroup.subtree_control in `directory` contain `controller`.
bool lists_controller(int directory, const char* file, Controller controller);

}  // namespace sandbox::cgroup
