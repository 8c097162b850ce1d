// HostView: what the host's programs see that enter the workload's mount namespace, as `podman cp`, `podman
// top` and nsenter(1) do. The workload itself never does: its root lies apart (LaunchOptions::root).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/host_mounter.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

struct HostView {
  struct Part {
    std::string place;  // absolute, below the root
    UniqueFd tree;      // a detached mount; not open: the procfs of the workload's PID namespace
  };
  UniqueFd root;  // a detached, writable mount: places that are missing are made in it
  MountAccess root_access = MountAccess::kReadWrite;
  std::vector<Part> parts;  // in their order; one that cannot be mounted is left out
};

// Mounts it in the namespace of `process`, the workload's first one, which was launched with a root apart and
// has not run. From the sentry, with all its capabilities. Errors: those of entering the namespaces and of
// mounting the root.
Result<void> show_to_host(pid_t process, const HostView& view);

}  // namespace sandbox::platform
