// Nodes of hostfs: each method is one or a few host calls on a name in a pinned directory.
#include "vfs/hostfs/host_inode.h"

#include <linux/fs.h>
#include <sys/syscall.h>

#include "sandbox/check.h"
#include "vfs/core/fresh_attributes.h"

namespace sandbox::vfs {

Result<Attributes> HostInode::getattr() {
  auto fresh = FreshAttributes::take(*this);
  const OwnerMaps& owners = host_filesystem().owners();
  if (fresh && owners.record == nullptr) {
    owners.translate(*fresh);
    return checked(*fresh);
  }
  PinnedName at = TRY(place());
  Attributes attributes = fresh ? *fresh : TRY(host_attributes(at.host()));
  const mode_t host_type = attributes.stx_mode & S_IFMT;
  owners.show(at.host(), attributes);
  // Only the overlay lets a file stand for a device.
  attributes.stx_mode = static_cast<uint16_t>(host_type | (attributes.stx_mode & 07777));
  return checked(attributes);
}

// Vfs decides by type: an object of another type is not this node.
Result<Attributes> HostInode::checked(const Attributes& attributes) const {
  if ((attributes.stx_mode & S_IFMT) != type()) return err(ESTALE);
  return attributes;
}

Result<void> HostInode::setattr(const AttributeChange& change) {
  PinnedName at = TRY(place());
  return host_change(at.host(), change, host_filesystem().owners());
}

Result<UniqueFd> HostInode::host_object() {
  PinnedName at = TRY(place());
  return host_open(at.host(), O_PATH);
}

Result<std::string> HostInode::getxattr(const std::string& name) {
  if (!workload_may_read_xattr(name) || is_hidden_xattr(name)) return err(ENODATA);
  PinnedName at = TRY(place());
  return host_getxattr(at.host(), name);
}

Result<void> HostInode::setxattr(const std::string& name, std::string_view value, int flags) {
  TRY(workload_may_change_xattr(name));
  if (is_hidden_xattr(name)) return err(EPERM);
  PinnedName at = TRY(place());
  return host_setxattr(at.host(), name, value, flags);
}

Result<std::vector<std::string>> HostInode::listxattr() {
  PinnedName at = TRY(place());
  std::vector<std::string> names = TRY(host_listxattr(at.host()));
  std::erase_if(names, [&](const std::string& name) {
    return !workload_may_read_xattr(name) || is_hidden_xattr(name);
  });
  return names;
}

Result<void> HostInode::removexattr(const std::string& name) {
  TRY(workload_may_change_xattr(name));
  if (is_hidden_xattr(name)) return err(EPERM);
  PinnedName at = TRY(place());
  return host_removexattr(at.host(), name);
}

bool HostInode::is_hidden_xattr(const std::string& name) const {
  return host_filesystem().owners().record != nullptr && is_record_xattr(name);
}

InodePtr HostDirectoryInode::node_for(std::string_view name, const Attributes& attributes) {
  HostIdentity identity = HostIdentity::of(attributes);
  if (identity.type == S_IFDIR) {
    return std::make_shared<HostDirectoryInode>(
        host_filesystem(), std::make_shared<HostDirectory>(directory_, std::string(name), identity));
  }
  return std::make_shared<HostFileInode>(host_filesystem(), directory_, std::string(name), identity);
}

Result<InodePtr> HostDirectoryInode::lookup(std::string_view name) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  Attributes attributes = TRY(host_attributes({directory.get(), TerminatedName(name).c_str()}));
  InodePtr node = node_for(name, attributes);
  FreshAttributes::note(node, attributes);
  return node;
}

bool HostDirectoryInode::is_current(std::string_view name, const InodePtr& child) {
  auto directory = directory_->pin();
  if (!directory) return false;
  auto attributes = host_attributes({directory->get(), TerminatedName(name).c_str()});
  if (child == nullptr) return !attributes && attributes.error() == Errno(ENOENT);
  return attributes && HostIdentity::of(*attributes) == static_cast<HostInode&>(*child).identity();
}

Result<InodePtr> HostDirectoryInode::create(std::string_view name, const NewNode& node) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  HostNode wanted = TRY(host_node_below(node, {directory.get(), ""}, host_filesystem().owners()));
  // A device would be shown by the file that stands for it; what hostfs shows is only memory of ours.
  if (wanted.record && wanted.record->is_device()) return err(EPERM);
  Attributes made = TRY(host_make({directory.get(), TerminatedName(name).c_str()}, wanted));
  InodePtr inode = node_for(name, made);
  if (inode->is_regular()) static_cast<HostFileInode&>(*inode).is_just_created_ = true;
  return inode;
}

Result<void> HostDirectoryInode::link(std::string_view name, const InodePtr& target) {
  if (&target->filesystem() != &filesystem()) return err(EXDEV);
  if (target->is_directory()) return err(EPERM);
  auto& file = static_cast<HostFileInode&>(*target);
  if (file.name_.empty()) return err(EXDEV);
  PinnedName old = TRY(file.place());
  HostDirectory::Pin directory = TRY(directory_->pin());
  return host_status(linkat(old.directory.get(), old.name, directory.get(), TerminatedName(name).c_str(), 0));
}

Result<void> HostDirectoryInode::unlink(std::string_view name, const InodePtr&) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  return host_status(unlinkat(directory.get(), TerminatedName(name).c_str(), 0));
}

Result<void> HostDirectoryInode::rmdir(std::string_view name, const InodePtr& child) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  TRY(host_status(unlinkat(directory.get(), TerminatedName(name).c_str(), AT_REMOVEDIR)));
  if (child->is_directory()) static_cast<HostDirectoryInode&>(*child).directory_->removed();
  return {};
}

Result<void> HostDirectoryInode::rename(std::string_view old_name, const InodePtr& moved,
                                        const InodePtr& new_directory, std::string_view new_name,
                                        const InodePtr& replaced, unsigned flags) {
  if (&new_directory->filesystem() != &filesystem()) return err(EXDEV);
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) return err(EINVAL);
  auto& target = static_cast<HostDirectoryInode&>(*new_directory);
  HostDirectory::Pin old_pin = TRY(directory_->pin());
  HostDirectory::Pin new_pin = TRY(target.directory_->pin());
  TRY(host_status(renameat2(old_pin.get(), TerminatedName(old_name).c_str(), new_pin.get(),
                            TerminatedName(new_name).c_str(), flags)));
  if (moved->is_directory()) {
    static_cast<HostDirectoryInode&>(*moved).directory_->moved(target.directory_, new_name);
  }
  if (replaced != nullptr && replaced->is_directory()) {
    auto& other = static_cast<HostDirectoryInode&>(*replaced);
    if (flags & RENAME_EXCHANGE) {
      other.directory_->moved(directory_, old_name);
    } else {
      other.directory_->removed();
    }
  }
  return {};
}

Result<std::vector<DirectoryEntry>> HostDirectoryInode::list(const Caller&) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  std::vector<DirectoryEntry> entries;
  TRY(host_list(directory.get(), [&](const char* name, uint64_t inode, uint8_t type) {
    entries.push_back({name, inode, type});
    return true;
  }));
  return entries;
}

Result<UniqueFd> HostDirectoryInode::open_unnamed(const Caller&, int flags, const NewNode& node) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  HostNode wanted = TRY(host_node_below(node, {directory.get(), ""}, host_filesystem().owners()));
  return host_make_unnamed(directory.get(), flags, wanted);
}

Result<void> HostDirectoryInode::link_unnamed(std::string_view name, int object) {
  HostDirectory::Pin directory = TRY(directory_->pin());
  return host_link_unnamed(object, {directory.get(), TerminatedName(name).c_str()});
}

Result<UniqueFd> HostDirectoryInode::writable_host_directory() {
  HostDirectory::Pin directory = TRY(directory_->pin());
  return host_open({directory.get(), ""}, O_PATH);
}

Result<std::string> HostFileInode::readlink(const Caller&) {
  if (!is_symlink()) return err(EINVAL);
  PinnedName at = TRY(place());
  return host_readlink(at.host());
}

Result<UniqueFd> HostFileInode::open(const Caller&, int flags) {
  bool is_device = type() == S_IFCHR || type() == S_IFBLK;
  if (is_device && !(flags & O_PATH) && host_filesystem().devices() == HostDevices::kRefused)
    return err(EACCES);
  PinnedName at = TRY(place());
  if (is_just_created_.exchange(false, std::memory_order_relaxed)) return host_open_created(at.host(), flags);
  return host_open_for_workload(at.host(), type(), flags, host_filesystem().changes());
}

}  // namespace sandbox::vfs
