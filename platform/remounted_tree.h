// A copied mount tree with flags on every mount, for kernels without mount_setattr (before 5.12).
#pragma once

#include <cstdint>
#include <string>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// As HostMounter::clone_tree; `attributes` of MOUNT_ATTR_RDONLY, NOSUID, NODEV. Forks, so only for set-up.
Result<UniqueFd> copy_tree_remounted(int directory_fd, const std::string& path, uint64_t attributes);

}  // namespace sandbox::platform
