// Inode: what a node answers that does not have what a call needs (fs/bad_inode.c and the VFS's own
// defaults).
#include "vfs/core/inode.h"

namespace sandbox::vfs {

Result<uint64_t> Inode::number() { return TRY(getattr()).stx_ino; }
Result<void> Inode::setattr(const AttributeChange&) { return err(EPERM); }
Result<InodePtr> Inode::lookup(std::string_view) { return err(ENOTDIR); }
bool Inode::is_current(std::string_view, const InodePtr&) { return true; }
Result<InodePtr> Inode::create(std::string_view, const NewNode&) { return err(EPERM); }
Result<void> Inode::link(std::string_view, const InodePtr&) { return err(EPERM); }
Result<void> Inode::unlink(std::string_view, const InodePtr&) { return err(EPERM); }
Result<void> Inode::rmdir(std::string_view, const InodePtr&) { return err(EPERM); }
Result<void> Inode::rename(std::string_view, const InodePtr&, const InodePtr&, std::string_view,
                           const InodePtr&, unsigned) {
  return err(EPERM);
}
Result<std::vector<DirectoryEntry>> Inode::list(const Caller&) { return err(ENOTDIR); }
Result<std::string> Inode::readlink(const Caller&) { return err(EINVAL); }
Result<std::optional<Location>> Inode::follow_magic(const Caller&) { return std::nullopt; }
Result<UniqueFd> Inode::open(const Caller&, int) { return err(ENXIO); }
Result<UniqueFd> Inode::open_unnamed(const Caller&, int, const NewNode&) { return err(EOPNOTSUPP); }
Result<void> Inode::link_unnamed(std::string_view, int) { return err(EXDEV); }
Result<UniqueFd> Inode::host_object() { return err(ENXIO); }
Result<UniqueFd> Inode::writable_host_directory() { return err(EROFS); }
Result<std::string> Inode::generate(const Caller*) { return err(EINVAL); }
Result<void> Inode::accept_writing(const Caller&) { return err(EACCES); }
Result<std::string> Inode::getxattr(const std::string&) { return err(EOPNOTSUPP); }
Result<void> Inode::setxattr(const std::string&, std::string_view, int) { return err(EOPNOTSUPP); }
Result<std::vector<std::string>> Inode::listxattr() { return std::vector<std::string>{}; }
Result<void> Inode::removexattr(const std::string&) { return err(EOPNOTSUPP); }

Result<Attributes> Inode::permission_attributes(uint64_t now_ms) {
  {
    std::lock_guard lock(permissions_lock_);
    if (permissions_ && now_ms - permissions_read_at_ms_ < kPermissionAgeMs) return *permissions_;
  }
  Attributes fresh = TRY(getattr());
  if (!has_steady_permissions()) return fresh;
  std::lock_guard lock(permissions_lock_);
  permissions_ = std::make_unique<Attributes>(fresh);
  permissions_read_at_ms_ = now_ms;
  return fresh;
}

void Inode::forget_permissions() {
  std::lock_guard lock(permissions_lock_);
  permissions_.reset();
}

}  // namespace sandbox::vfs
