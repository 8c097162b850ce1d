// cgroupfs: /sys/fs/cgroup of the sandbox: its own group as the root of each hierarchy, to look at only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sandbox/cgroup_view.h"
#include "sandbox/kernel_view.h"
#include "vfs/core/filesystem.h"

namespace sandbox::vfs {

// One hierarchy, of type "cgroup" or "cgroup2". Its process ids are the sandbox's. Nothing can be written
// (EACCES), whatever the mount's flags say.
std::shared_ptr<Filesystem> create_cgroupfs(KernelView& kernel, CgroupView& cgroups, size_t hierarchy);

// Mounts all of it by calling `mount` for each file system, parents first, until one fails: version 2 alone
// at /sys/fs/cgroup, or there a tmpfs with a directory for each hierarchy, and for each of several
// controllers that share one a link to it ("cpu" -> "cpu,cpuacct"). Nothing where the host has no control
// groups.
using MountCgroupfs =
    std::function<Result<void>(const std::string& path, std::shared_ptr<Filesystem> filesystem)>;
Result<void> mount_cgroups(KernelView& kernel, CgroupView& cgroups, const MountCgroupfs& mount);

}  // namespace sandbox::vfs
