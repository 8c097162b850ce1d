// sysfs: /sys of the sandbox: its CPUs, its memory node, its loopback, and nothing of the host's devices.
#pragma once

#include <memory>

#include "sandbox/kernel_view.h"
#include "sandbox/resource_view.h"
#include "vfs/core/filesystem.h"

namespace sandbox::vfs {

struct SysfsOptions {
  KernelView& kernel;
  ResourceView& resources;
  // The host's /sys, for a short list of settings that are the same for everybody; not open: they are absent.
  UniqueFd host_sys;
  // Whose network interfaces are shown: of a namespace of the workload's own only the loopback is known.
  enum class Interfaces { kLoopback, kHosts } interfaces = Interfaces::kLoopback;
};

// fs/cgroup is an empty directory to mount on. Nothing here can be written.
std::shared_ptr<Filesystem> create_sysfs(SysfsOptions options);

}  // namespace sandbox::vfs
