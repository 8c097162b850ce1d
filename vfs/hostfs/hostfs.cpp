// The file system object of hostfs.
#include "vfs/hostfs/hostfs.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "vfs/hostfs/host_inode.h"

namespace sandbox::vfs {

Result<std::shared_ptr<Filesystem>> create_hostfs(HostFsOptions options) {
  std::string type = options.type;
  if (type.empty()) {
    struct statfs host;
    TRY(host_status(fstatfs(options.root.get(), &host)));
    type = filesystem_type_name(host.f_type);
  }
  HostDirectoryPtr root = TRY(HostDirectory::create_root(std::move(options.root)));
  return std::make_shared<HostFs>(std::move(options), std::move(root), std::move(type));
}

HostFs::HostFs(HostFsOptions options, HostDirectoryPtr root, std::string type)
    : Filesystem(std::move(type), options.policy),
      root_(std::move(root)),
      source_(std::move(options.source)),
      options_(std::move(options.options)),
      owners_(std::move(options.owners)),
      devices_(options.devices) {}

// The inodes refer to the file system by plain reference, so it keeps none of them itself.
InodePtr HostFs::root() {
  std::lock_guard guard(root_lock_);
  InodePtr inode = root_inode_.lock();
  if (inode != nullptr) return inode;
  if (root_->identity().type == S_IFDIR) {
    inode = std::make_shared<HostDirectoryInode>(*this, root_);
  } else {
    inode = std::make_shared<HostFileInode>(*this, root_, "", root_->identity());
  }
  root_inode_ = inode;
  return inode;
}

Result<struct statfs> HostFs::statfs() {
  HostDirectory::Pin root = TRY(root_->pin());
  struct statfs result;
  TRY(host_status(fstatfs(root.get(), &result)));
  return result;
}

bool HostFs::is_in_memory() {
  auto status = statfs();
  return status && status->f_type == TMPFS_MAGIC;
}

std::optional<std::string> HostFs::path_of_descriptor(int fd) {
  auto root = root_->pin();
  if (!root) return std::nullopt;
  return host_path_below(root->get(), fd);
}

}  // namespace sandbox::vfs
