// DirectoryStubs: directories of a private tmpfs that stand for the VFS's.
#include "vfs/core/directory_stubs.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace sandbox::vfs {

Result<std::unique_ptr<DirectoryStubs>> DirectoryStubs::create(HostMounter& mounter) {
  std::unique_ptr<DirectoryStubs> stubs(new DirectoryStubs);
  stubs->writable_ = TRY(mounter.new_tmpfs({.size_bytes = 0, .inode_limit = 1 << 20, .mode = 0755}));
  stubs->read_only_ =
      TRY(mounter.clone_tree(stubs->writable_.get(), "", MountAccess::kReadOnly, MountDevices::kHidden));
  struct stat status;
  TRY(host_status(::fstat(stubs->writable_.get(), &status)));
  stubs->device_ = status.st_dev;
  return stubs;
}

Result<UniqueFd> DirectoryStubs::open(const Location& directory, int flags) {
  std::string name;
  {
    std::lock_guard lock(lock_);
    auto [place, is_new] = names_.try_emplace(Key{directory.mount.get(), directory.dentry.get()});
    if (is_new) {
      place->second = std::to_string(next_name_++);
      struct stat status;
      bool is_made = ::mkdirat(writable_.get(), place->second.c_str(), 0555) == 0 &&
                     ::fstatat(writable_.get(), place->second.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (!is_made) {
        auto error = last_error();
        names_.erase(place);
        return error;
      }
      locations_.emplace(status.st_ino, directory);
    }
    name = place->second;
  }
  int fd = ::openat(read_only_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | flags);
  return UniqueFd(TRY(host_result(fd)));
}

std::optional<Location> DirectoryStubs::find(dev_t device, ino_t inode) const {
  if (device != device_) return std::nullopt;
  std::lock_guard lock(lock_);
  auto found = locations_.find(inode);
  if (found == locations_.end()) return std::nullopt;
  return found->second;
}

}  // namespace sandbox::vfs
