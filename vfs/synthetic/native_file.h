// NativeFile: a file of the host's kernel that is handed out itself, as only its own descriptor can be waited
// on.
#pragma once

#include <fcntl.h>

#include <functional>

#include "vfs/core/inode.h"

namespace sandbox::vfs {

class NativeFile : public Inode {
 public:
  // Opens the host's file. `flags`: O_PATH, or an access mode and O_NONBLOCK.
  using Opener = std::function<Result<UniqueFd>(int flags)>;
  NativeFile(Filesystem& filesystem, mode_t permissions, Opener opener)
      : Inode(filesystem, S_IFREG), permissions_(permissions), opener_(std::move(opener)) {}

  // Device and number are the host's: fstat of what open gives tells them too.
  Result<Attributes> getattr() override;
  Result<UniqueFd> open(const Caller& caller, int flags) override;
  Result<UniqueFd> host_object() override { return opener_(O_PATH); }

 private:
  const mode_t permissions_;
  const Opener opener_;
};

}  // namespace sandbox::vfs
