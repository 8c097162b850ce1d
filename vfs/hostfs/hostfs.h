// hostfs: a directory, or a single file, of the host as a file system; also what a private tmpfs is shown
// through.
#pragma once

#include "vfs/core/filesystem.h"
#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {

enum class HostDevices { kRefused, kVisible };

struct HostFsOptions {
  UniqueFd root;       // O_PATH; a directory, or any other object for a bind of one file
  std::string type;    // as mountinfo shows it; "": found from the host's statfs
  std::string source;  // "": the type
  std::string options = "rw";
  // kTrust only when nobody outside the sandbox can change the tree.
  CachePolicy policy = CachePolicy::kRevalidate;
  OwnerMaps owners;
  // Whether device nodes can be opened (the mount must have been made without nodev).
  HostDevices devices = HostDevices::kRefused;
};

// Errors: EBADF and the host's, when `root` cannot be looked at.
Result<std::shared_ptr<Filesystem>> create_hostfs(HostFsOptions options);

}  // namespace sandbox::vfs
