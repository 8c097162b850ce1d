// What directories and files of overlayfs have in common, and files.
#include "vfs/overlayfs/overlay_inode.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "vfs/core/fresh_attributes.h"

namespace sandbox::vfs {

Result<void> OverlayInode::setattr(const AttributeChange& change) {
  AttributeChange wanted = change;
  // A file whose content need not be copied is cut already when the host is asked to cut it.
  if (change.size == 0u && !is_whole() && !wanted.mtime) wanted.mtime = timespec{0, UTIME_NOW};
  TRY(make_upper(change.size == 0u ? CopiedData::kNone : CopiedData::kWhole));
  PinnedName at = TRY(place());
  TRY(host_change(at.host(), wanted, overlay().owners()));
  if (change.uid || change.gid) owner_changed();
  return {};
}

Result<Attributes> OverlayInode::top_attributes() {
  if (auto fresh = FreshAttributes::take(*this)) return *fresh;
  PinnedName at = TRY(place());
  return host_attributes(at.host());
}

Result<Attributes> OverlayInode::shown(Attributes attributes) {
  const OwnerMaps& owners = is_in_upper() ? overlay().owners() : overlay().lower_owners();
  if (owners.record == nullptr) {
    owners.translate(attributes);
    return attributes;
  }
  PinnedName at = TRY(place());
  owners.show(at.host(), attributes);
  return attributes;
}

bool OverlayInode::is_hidden_xattr(const std::string& name) const {
  return is_layer_xattr(name) || (overlay().keeps_records() && is_record_xattr(name));
}

Result<std::string> OverlayInode::getxattr(const std::string& name) {
  if (!workload_may_read_xattr(name) || is_hidden_xattr(name)) return err(ENODATA);
  PinnedName at = TRY(place());
  if (name == "security.capability" && overlay().keeps_records())
    if (auto recorded = host_getxattr(at.host(), kCapabilityRecordXattr)) return recorded;
  return host_getxattr(at.host(), name);
}

Result<void> OverlayInode::setxattr(const std::string& name, std::string_view value, int flags) {
  TRY(workload_may_change_xattr(name));
  if (is_hidden_xattr(name)) return err(EPERM);
  TRY(make_upper(CopiedData::kWhole));
  PinnedName at = TRY(place());
  return host_setxattr(at.host(), name, value, flags);
}

Result<std::vector<std::string>> OverlayInode::listxattr() {
  PinnedName at = TRY(place());
  std::vector<std::string> names = TRY(host_listxattr(at.host()));
  const bool has_capability =
      overlay().keeps_records() && std::erase(names, std::string(kCapabilityRecordXattr)) != 0;
  std::erase_if(names, [&](const std::string& name) {
    return !workload_may_read_xattr(name) || is_hidden_xattr(name);
  });
  if (has_capability) names.emplace_back("security.capability");
  return names;
}

Result<void> OverlayInode::removexattr(const std::string& name) {
  TRY(workload_may_change_xattr(name));
  if (is_hidden_xattr(name)) return err(EPERM);
  TRY(getxattr(name));  // a name that is not there copies nothing up
  TRY(make_upper(CopiedData::kWhole));
  PinnedName at = TRY(place());
  return host_removexattr(at.host(), name);
}

Result<Attributes> OverlayFile::getattr() {
  Attributes attributes = TRY(shown(TRY(top_attributes())));
  if ((attributes.stx_mode & S_IFMT) != type()) return err(ESTALE);
  return attributes;
}

Result<std::string> OverlayFile::readlink(const Caller&) {
  if (!is_symlink()) return err(EINVAL);
  PinnedName at = TRY(place());
  return host_readlink(at.host());
}

Result<void> OverlayFile::copy_up_whole(HostName source, HostName target, uint64_t data_size) {
  const CopiedRecords records = overlay().copied_records();
  if (data_size < kLargeFile) return copy_up(overlay().work(), source, target, CopiedData::kWhole, records);
  std::shared_ptr<LargeCopy> copy = large_copy_.lock();
  if (copy != nullptr && copy->is_done()) return finish_copy_up(copy->item(), source, target, records);
  if (copy == nullptr) {
    copy = TRY(LargeCopy::create(overlay().shared_work(), source));
    large_copy_ = copy;
  }
  return prepare_first(std::move(copy));
}

Result<void> OverlayFile::make_upper(CopiedData data) {
  if (is_upper_) return {};
  if (!overlay().has_upper()) return err(EROFS);
  TRY(parent_->make_upper(CopiedData::kWhole));
  {
    PinnedName source = TRY(place());
    Attributes original = TRY(host_attributes(source.host()));
    HostDirectory::Pin target = TRY(parent_->upper()->pin());
    HostName wanted{target.get(), name_.c_str()};
    const bool is_file = S_ISREG(original.stx_mode);
    bool is_whole = is_file && data == CopiedData::kWhole;
    auto copied = is_whole
                      ? copy_up_whole(source.host(), wanted, original.stx_blocks * 512)
                      : copy_up(overlay().work(), source.host(), wanted, data, overlay().copied_records());
    // Another Inode of the same name was faster.
    if (!copied && copied.error() != Errno(EEXIST)) return copied;
    copied_from_ = std::pair(makedev(original.stx_dev_major, original.stx_dev_minor), original.stx_ino);
  }
  directory_ = parent_->upper();
  is_upper_ = true;
  return {};
}

Result<UniqueFd> OverlayFile::open(const Caller&, int flags) {
  bool is_device = type() == S_IFCHR || type() == S_IFBLK;
  if (is_device && !(flags & O_PATH)) return err(EACCES);
  if (type() == S_IFIFO && !is_upper_) return open_lower_fifo(flags);
  bool writes = !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC));
  if (is_regular() && writes) TRY(make_upper(flags & O_TRUNC ? CopiedData::kNone : CopiedData::kWhole));
  PinnedName at = TRY(place());
  if (is_just_created_.exchange(false, std::memory_order_relaxed)) return host_open_created(at.host(), flags);
  return host_open_for_workload(at.host(), type(), flags,
                                is_upper_ ? HostChanges::kOnlyOurs : overlay().lower_changes());
}

Result<UniqueFd> OverlayFile::open_lower_fifo(int flags) {
  if (!overlay().has_upper()) return err(EACCES);
  std::lock_guard guard(overlay().fifo_lock());
  if (!private_fifo_) {
    WorkDirectory::Item item(overlay().work());
    TRY(host_make(item.host(), {.mode = S_IFIFO | 0600, .uid = geteuid(), .gid = getegid()}));
    private_fifo_ = TRY(host_open(item.host(), O_PATH));
  }
  return host_open_for_workload({private_fifo_.get(), ""}, S_IFIFO, flags, HostChanges::kOnlyOurs);
}

Result<UniqueFd> OverlayFile::host_object() {
  bool leads_outside =
      type() == S_IFSOCK && !is_upper_ && overlay().lower_sockets() == LowerSockets::kRefused;
  if (leads_outside) return err(ECONNREFUSED);
  PinnedName at = TRY(place());
  return host_open(at.host(), O_PATH);
}

}  // namespace sandbox::vfs
