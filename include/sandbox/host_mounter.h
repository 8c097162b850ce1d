// HostMounter: mounts that the sentry makes for itself on the host kernel, in its private mount namespace.
#pragma once

#include <cstdint>
#include <string>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox {

enum class MountAccess { kReadWrite, kReadOnly };
enum class MountDevices { kHidden, kVisible };  // nodev or not

struct TmpfsOptions {
  uint64_t size_bytes = 0;   // 0: the kernel's default, half of memory
  uint64_t inode_limit = 0;  // 0: the kernel's default
  uint32_t mode = 01777;
  MountDevices devices = MountDevices::kHidden;
};

// Implemented by the platform. Every mount is nosuid, detached (it has no place in any mount
// namespace and ends when its last descriptor is closed) and returned as an O_PATH descriptor of its root.
class HostMounter {
 public:
  virtual ~HostMounter() = default;
  // An empty tmpfs. Errors: ENOMEM, EINVAL (size), EPERM.
  virtual Result<UniqueFd> new_tmpfs(const TmpfsOptions& options) = 0;
  // A private copy of the mount tree below the file or directory `path` (or that `path` is relative to,
  // when it is ""), with those flags enforced by the kernel on every mount of it.
  virtual Result<UniqueFd> clone_tree(int directory_fd, const std::string& path, MountAccess access,
                                      MountDevices devices) = 0;
  // A new devpts instance (ptmx mode 0666). Errors: EPERM.
  virtual Result<UniqueFd> new_devpts() = 0;
};

}  // namespace sandbox
