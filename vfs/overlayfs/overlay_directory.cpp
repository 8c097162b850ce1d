// Merged directories: finding and listing names through the layers, and copying the directory itself up.
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <unordered_map>

#include "vfs/core/fresh_attributes.h"
#include "vfs/overlayfs/overlay_inode.h"

namespace sandbox::vfs {
namespace {

// Set in the inode number of directories that only the upper has: it may be on another device than what
// they are reported to be on, and then use the same numbers.
constexpr uint64_t kUpperInode = uint64_t{1} << 48;
constexpr size_t kHidden = SIZE_MAX;

uint64_t inode_of_merge(const OverlayFs& overlay, const std::vector<LayerDirectory>& parts, bool has_upper) {
  const HostIdentity& lowest = parts.back().handle->identity();
  return parts.size() == 1 && has_upper ? overlay.shown_inode(lowest.inode) : lowest.inode;
}

}  // namespace

uint64_t OverlayFs::shown_inode(uint64_t upper_inode) const {
  auto kept = kept_inodes_.find(upper_inode);
  return kept == kept_inodes_.end() ? upper_inode | kUpperInode : kept->second;
}

OverlayDirectory::OverlayDirectory(OverlayFs& filesystem, OverlayDirectoryPtr parent, std::string_view name,
                                   std::vector<LayerDirectory> parts, bool has_upper, dev_t parent_device)
    : OverlayInode(filesystem, S_IFDIR),
      parent_(std::move(parent)),
      name_(name),
      parts_(std::move(parts)),
      has_upper_(has_upper),
      device_(is_pure_upper() ? parent_device : parts_.back().handle->identity().device),
      inode_(inode_of_merge(filesystem, parts_, has_upper_)) {}

// As for HostDirectory: deep chains are taken down without recursion.
OverlayDirectory::~OverlayDirectory() {
  while (parent_ != nullptr && parent_.use_count() == 1) {
    OverlayDirectoryPtr grandparent = std::move(parent_->parent_);
    parent_ = std::move(grandparent);
  }
}

Result<Attributes> OverlayDirectory::getattr() {
  Attributes attributes = TRY(top_attributes());
  if (!S_ISDIR(attributes.stx_mode)) return err(ESTALE);
  if (has_foreign_owner_ && is_merged()) {
    HostDirectory::Pin below = TRY(parts_[1].handle->pin());
    Attributes owner = TRY(host_attributes({below.get(), ""}));
    attributes.stx_uid = owner.stx_uid;
    attributes.stx_gid = owner.stx_gid;
  }
  attributes.stx_dev_major = major(device_);
  attributes.stx_dev_minor = minor(device_);
  attributes.stx_ino = inode_;
  // Counting the subdirectories would take a listing; 1 tells programs not to rely on the count.
  if (is_merged()) attributes.stx_nlink = 1;
  return shown(attributes);
}

Result<void> OverlayDirectory::add_part(Found& found, size_t layer, std::string_view name,
                                        const Attributes& attributes, bool* is_last) {
  const LayerDirectory& part = parts_[layer];
  if (found.parts.size() == 1) found.below = attributes;
  auto handle = std::make_shared<HostDirectory>(part.handle, std::string(name), HostIdentity::of(attributes));
  std::shared_ptr<const LayerMarks> marks;
  // Without anything below there is nothing to mark.
  if (layer + 1 < parts_.size()) marks = TRY(read_marks(TRY(handle->pin()).get(), part.format));
  *is_last = marks != nullptr && marks->is_opaque;
  found.parts.push_back({std::move(handle), part.format, std::move(marks)});
  return {};
}

Result<OverlayDirectory::Found> OverlayDirectory::find(std::string_view name, From from) {
  Found found;
  TerminatedName terminated(name);
  bool is_last = false;
  for (size_t i = from == From::kLowers && has_upper_ ? 1 : 0; i < parts_.size() && !is_last; ++i) {
    const LayerDirectory& part = parts_[i];
    if (part.is_hidden_name(name)) continue;
    HostDirectory::Pin directory = TRY(part.handle->pin());
    HostName at{directory.get(), terminated.c_str()};
    auto attributes = host_attributes(at);
    if (!attributes && attributes.error() != Errno(ENOENT)) return std::unexpected(attributes.error());
    if (attributes && part.is_whiteout(at, *attributes)) break;
    if (attributes) {
      bool is_first = found.parts.empty(), is_directory = S_ISDIR(attributes->stx_mode);
      if (is_first) {
        found.top = *attributes;
        found.layer = i;
        found.is_upper = has_upper_ && i == 0;
        if (!is_directory) return found;
      }
      if (!is_directory) break;
      TRY(add_part(found, i, name, *attributes, &is_last));
    }
    if (part.hides_below(name)) break;
  }
  if (found.parts.empty()) return err(ENOENT);
  return found;
}

// Of what is no directory: an empty file may stand for a device.
mode_t OverlayDirectory::shown_type(std::string_view name, const Found& found) {
  const mode_t type = found.top.stx_mode & S_IFMT;
  const char* attribute = found.is_upper ? overlay().owners().record : overlay().lower_owners().record;
  if (attribute == nullptr || type != S_IFREG || found.top.stx_size != 0) return type;
  auto directory = parts_[found.layer].handle->pin();
  if (!directory) return type;
  auto record = host_read_record({directory->get(), TerminatedName(name).c_str()}, attribute);
  return record && record->is_device() ? record->mode & S_IFMT : type;
}

InodePtr OverlayDirectory::node_for(std::string_view name, Found found) {
  if (!found.is_directory()) {
    return std::make_shared<OverlayFile>(overlay(), self(), name, parts_[found.layer].handle, found.is_upper,
                                         shown_type(name, found));
  }
  auto directory = std::make_shared<OverlayDirectory>(overlay(), self(), name, std::move(found.parts),
                                                      found.is_upper, device_);
  bool may_be_foreign =
      found.is_upper && directory->is_merged() && found.top.stx_uid == geteuid() &&
      (found.below.stx_uid != found.top.stx_uid || found.below.stx_gid != found.top.stx_gid);
  if (may_be_foreign) {
    auto upper = directory->upper()->pin();
    directory->has_foreign_owner_ =
        overlay().upper_format() == LayerFormat::kKernelAndMarker ||
        (upper && host_getxattr({upper->get(), ""}, kForeignOwnerXattr).has_value());
  }
  return directory;
}

Result<InodePtr> OverlayDirectory::lookup(std::string_view name) {
  Found found = TRY(find(name, From::kTop));
  const Attributes seen = found.top;
  InodePtr node = node_for(name, std::move(found));
  FreshAttributes::note(node, seen);
  return node;
}

bool OverlayDirectory::is_current(std::string_view name, const InodePtr& child) {
  // The upper is ours alone, so only what a lower contributes can have changed.
  if (child != nullptr && child->is_directory()) {
    auto& directory = static_cast<OverlayDirectory&>(*child);
    if (directory.is_pure_upper()) return true;
    return directory.parts_[directory.has_upper_ ? 1 : 0].handle->is_current();
  }
  if (child != nullptr && static_cast<OverlayFile&>(*child).is_upper_) return true;
  auto found = find(name, From::kTop);
  if (child == nullptr || !found) return child == nullptr && !found && found.error() == Errno(ENOENT);
  auto& file = static_cast<OverlayFile&>(*child);
  return !found->is_upper && parts_[found->layer].handle == file.directory_ &&
         shown_type(name, *found) == file.type();
}

struct OverlayListing {
  std::vector<DirectoryEntry> entries;
  std::unordered_map<std::string, size_t> seen;  // index in entries, or kHidden
  std::vector<size_t> merged;                    // entries that are directories in more than one layer
};

Result<void> OverlayDirectory::list_layer(size_t layer, OverlayListing& listing) {
  const LayerDirectory& part = parts_[layer];
  const bool is_upper = has_upper_ && layer == 0, is_lowest = layer + 1 == parts_.size();
  const bool has_whiteout_files = part.marks != nullptr && part.marks->has_xattr_whiteouts;
  HostDirectory::Pin directory = TRY(part.handle->pin());
  TRY(host_list(directory.get(), [&](const char* name, uint64_t inode, uint8_t type) {
    if (part.is_hidden_name(name)) return true;
    if (layer > 0) {
      auto known = listing.seen.find(name);
      if (known != listing.seen.end()) {
        bool is_directory = type == DT_DIR || type == DT_UNKNOWN;
        bool was_directory = known->second != kHidden && listing.entries[known->second].type == DT_DIR;
        if (is_directory && was_directory) listing.merged.push_back(known->second);
        return true;
      }
    }
    bool is_whiteout = false;
    if (type == DT_CHR || type == DT_UNKNOWN || (type == DT_REG && has_whiteout_files)) {
      auto attributes = host_attributes({directory.get(), name});
      if (!attributes) return true;  // gone since
      is_whiteout = part.is_whiteout({directory.get(), name}, *attributes);
      type = static_cast<uint8_t>(IFTODT(attributes->stx_mode));
    }
    if (!is_lowest) listing.seen.emplace(name, is_whiteout ? kHidden : listing.entries.size());
    if (!is_whiteout)
      listing.entries.push_back(
          {name, is_upper && type == DT_DIR ? overlay().shown_inode(inode) : inode, type});
    return true;
  }));
  if (part.marks != nullptr && !is_lowest) {
    for (const std::string& name : part.marks->whiteouts) listing.seen.emplace(name, kHidden);
  }
  return {};
}

Result<std::vector<DirectoryEntry>> OverlayDirectory::list(const Caller&) {
  OverlayListing listing;
  for (size_t i = 0; i < parts_.size(); ++i) TRY(list_layer(i, listing));
  // Which part is the lowest of such a directory depends on its own marks.
  for (size_t index : listing.merged) {
    auto found = find(listing.entries[index].name, From::kTop);
    if (found && found->is_directory()) {
      listing.entries[index].inode = inode_of_merge(overlay(), found->parts, found->is_upper);
    }
  }
  return std::move(listing.entries);
}

Result<bool> OverlayDirectory::is_empty() {
  OverlayListing listing;
  for (size_t i = 0; i < parts_.size() && listing.entries.empty(); ++i) TRY(list_layer(i, listing));
  return listing.entries.empty();
}

Result<void> OverlayDirectory::make_upper(CopiedData) {
  if (has_upper_) return {};
  if (!overlay().has_upper()) return err(EROFS);
  std::vector<OverlayDirectory*> missing;
  for (OverlayDirectory* at = this; !at->has_upper_; at = at->parent_.get()) {
    if (at->is_removed_) return err(ENOENT);
    missing.push_back(at);
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) TRY((*at)->copy_up_here());
  return {};
}

Result<void> OverlayDirectory::copy_up_here() {
  HostDirectory::Pin above = TRY(parent_->upper()->pin());
  HostName target{above.get(), name_.c_str()};
  PinnedName source = TRY(place());
  Attributes original = TRY(host_attributes(source.host()));
  auto copied =
      copy_up(overlay().work(), source.host(), target, CopiedData::kNone, overlay().copied_records());
  if (!copied && copied.error() != Errno(EEXIST)) return copied;
  Attributes made = TRY(host_attributes(target));
  if (!S_ISDIR(made.stx_mode)) return err(ESTALE);
  auto handle = std::make_shared<HostDirectory>(parent_->upper(), name_, HostIdentity::of(made));
  if (!copied) {
    // Another Inode of the same name was faster; but when it is opaque by now, this one was removed.
    auto marks = TRY(read_marks(TRY(handle->pin()).get(), overlay().upper_format()));
    if (marks != nullptr && marks->is_opaque) return err(ESTALE);
  }
  has_foreign_owner_ = made.stx_uid != original.stx_uid || made.stx_gid != original.stx_gid;
  parts_.insert(parts_.begin(), LayerDirectory{std::move(handle), overlay().upper_format(), nullptr});
  has_upper_ = true;
  return {};
}

void OverlayDirectory::owner_changed() {
  if (!has_foreign_owner_) return;
  has_foreign_owner_ = false;
  if (auto upper_pin = upper()->pin()) (void)host_removexattr({upper_pin->get(), ""}, kForeignOwnerXattr);
}

Result<UniqueFd> OverlayDirectory::host_object() {
  PinnedName at = TRY(place());
  return host_open(at.host(), O_PATH);
}

Result<UniqueFd> OverlayDirectory::writable_host_directory() {
  TRY(make_upper(CopiedData::kWhole));
  return host_object();
}

}  // namespace sandbox::vfs
