// Changes of a merged directory: every one is made in the upper, and whiteouts keep the lowers out of sight.
#include <linux/fs.h>
#include <sys/stat.h>

#include "vfs/overlayfs/overlay_inode.h"

namespace sandbox::vfs {
namespace {

Result<void> make_whiteout(HostName name) {
  return host_status(mknodat(name.directory, name.name, S_IFCHR, 0));
}

bool is_error(const Result<void>& status, int error) { return !status && status.error() == Errno(error); }

}  // namespace

Result<void> OverlayDirectory::check_new_name(std::string_view name) const {
  if (!overlay().has_upper()) return err(EROFS);
  bool is_reserved = overlay().upper_format() == LayerFormat::kKernelAndMarker && name == kOpaqueMarker;
  if (is_reserved) return err(EPERM);
  return {};
}

bool OverlayDirectory::has_whiteout(HostName name) const {
  auto attributes = host_attributes(name);
  return attributes && is_whiteout_device(*attributes);
}

Result<bool> OverlayDirectory::is_below(std::string_view name) {
  if (!is_merged()) return false;
  auto found = find(name, From::kLowers);
  if (!found && found.error() != Errno(ENOENT)) return std::unexpected(found.error());
  return found.has_value();
}

Result<Attributes> OverlayDirectory::make_over_whiteout(HostName target, const HostNode& node) {
  WorkDirectory::Item item(overlay().work());
  Attributes made = TRY(host_make(item.host(), node));
  if (!S_ISDIR(node.node.mode)) {
    TRY(item.move_to(target, 0));
  } else {
    TRY(make_opaque(item.host(), overlay().upper_format()));
    TRY(item.move_to(target, RENAME_EXCHANGE));
  }
  return made;
}

Result<InodePtr> OverlayDirectory::create(std::string_view name, const NewNode& node) {
  // A device 0:0 would be a whiteout, and other devices cannot be made; but a record can stand for one.
  const bool is_device = S_ISCHR(node.mode) || S_ISBLK(node.mode);
  if (is_device && overlay().owners().record == nullptr) return err(EPERM);
  TRY(check_new_name(name));
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  HostName target{directory.get(), terminated.c_str()};
  HostNode wanted = TRY(host_node_below(node, {directory.get(), ""}, overlay().owners()));
  auto made = host_make(target, wanted);
  if (!made && made.error() == Errno(EEXIST) && has_whiteout(target))
    made = make_over_whiteout(target, wanted);
  if (!made) return std::unexpected(made.error());

  Found found{.top = *made, .is_upper = true};
  if (found.is_directory()) {
    auto handle = std::make_shared<HostDirectory>(upper(), std::string(name), HostIdentity::of(*made));
    found.parts.push_back({std::move(handle), overlay().upper_format(), nullptr});
  }
  InodePtr inode = node_for(name, std::move(found));
  if (inode->is_regular()) static_cast<OverlayFile&>(*inode).is_just_created_ = true;
  return inode;
}

Result<void> OverlayDirectory::link(std::string_view name, const InodePtr& target) {
  if (&target->filesystem() != &filesystem()) return err(EXDEV);
  if (target->is_directory()) return err(EPERM);
  TRY(check_new_name(name));
  auto& file = static_cast<OverlayFile&>(*target);
  TRY(file.make_upper(CopiedData::kWhole));
  TRY(make_upper(CopiedData::kWhole));
  PinnedName source = TRY(file.place());
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  auto link_to = [&](HostName made) {
    return host_status(linkat(source.directory.get(), source.name, made.directory, made.name, 0));
  };
  HostName wanted{directory.get(), terminated.c_str()};
  auto linked = link_to(wanted);
  if (!is_error(linked, EEXIST) || !has_whiteout(wanted)) return linked;
  WorkDirectory::Item item(overlay().work());
  TRY(link_to(item.host()));
  return item.move_to(wanted, 0);
}

Result<UniqueFd> OverlayDirectory::open_unnamed(const Caller&, int flags, const NewNode& node) {
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  HostNode wanted = TRY(host_node_below(node, {directory.get(), ""}, overlay().owners()));
  return host_make_unnamed(directory.get(), flags, wanted);
}

Result<void> OverlayDirectory::link_unnamed(std::string_view name, int object) {
  TRY(check_new_name(name));
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  HostName wanted{directory.get(), terminated.c_str()};
  auto linked = host_link_unnamed(object, wanted);
  if (!is_error(linked, EEXIST) || !has_whiteout(wanted)) return linked;
  WorkDirectory::Item item(overlay().work());
  TRY(host_link_unnamed(object, item.host()));
  return item.move_to(wanted, 0);
}

Result<void> OverlayDirectory::uncover(std::string_view name) {
  TRY(check_new_name(name));
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  HostName target{directory.get(), terminated.c_str()};
  if (!has_whiteout(target)) return {};
  return host_status(unlinkat(target.directory, target.name, 0));
}

// In place of whatever the upper has there; a directory goes with the whiteouts in it.
Result<void> OverlayDirectory::put_whiteout(HostName target, mode_t removed_type) {
  auto made = make_whiteout(target);
  if (!is_error(made, EEXIST)) return made;
  WorkDirectory::Item item(overlay().work());
  TRY(make_whiteout(item.host()));
  return item.move_to(target, removed_type == S_IFDIR ? RENAME_EXCHANGE : 0);
}

Result<void> OverlayDirectory::unlink(std::string_view name, const InodePtr& child) {
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  HostName target{directory.get(), terminated.c_str()};
  if (TRY(is_below(name))) return put_whiteout(target, child->type());
  return host_status(unlinkat(target.directory, target.name, 0));
}

Result<void> OverlayDirectory::rmdir(std::string_view name, const InodePtr& child) {
  auto& removed = static_cast<OverlayDirectory&>(*child);
  if (!TRY(removed.is_empty())) return err(ENOTEMPTY);
  TRY(make_upper(CopiedData::kWhole));
  HostDirectory::Pin directory = TRY(upper()->pin());
  TerminatedName terminated(name);
  HostName target{directory.get(), terminated.c_str()};
  if (TRY(is_below(name))) {
    TRY(put_whiteout(target, S_IFDIR));
  } else {
    auto status = host_status(unlinkat(target.directory, target.name, AT_REMOVEDIR));
    // Empty to the eye: whiteouts and the marker are still in it.
    if (is_error(status, ENOTEMPTY) || is_error(status, EEXIST)) {
      WorkDirectory::Item item(overlay().work());
      status = item.take(target);
    }
    TRY(status);
  }
  removed.mark_removed();
  return {};
}

void OverlayDirectory::mark_removed() {
  is_removed_ = true;
  if (!has_upper_) return;
  upper()->removed();
  overlay().forget_inode(upper()->identity().inode);
}

// Renames within the upper; where a lower has the old name, a whiteout takes its place.
Result<void> OverlayDirectory::rename_in_upper(HostName from, HostName to, OldName old_name, unsigned flags) {
  auto rename_with = [&](unsigned rename_flags) {
    return host_status(renameat2(from.directory, from.name, to.directory, to.name, rename_flags));
  };
  if (flags & RENAME_EXCHANGE || old_name == OldName::kGoes) return rename_with(flags);
  auto renamed = rename_with(RENAME_WHITEOUT);
  bool is_unsupported =
      is_error(renamed, EINVAL) || is_error(renamed, EPERM) || is_error(renamed, EOPNOTSUPP);
  if (!is_unsupported) return renamed;
  WorkDirectory::Item whiteout(overlay().work());
  TRY(make_whiteout(whiteout.host()));
  TRY(rename_with(0));
  auto covered = whiteout.move_to(from, RENAME_NOREPLACE);
  // Two names of one file: rename(2) did nothing.
  return is_error(covered, EEXIST) ? Result<void>() : covered;
}

// Puts a directory of the upper where nothing is visible or an empty directory is.
Result<void> OverlayDirectory::move_directory(HostName from, HostName to, OldName old_name) {
  if (has_whiteout(to)) {
    // A directory cannot replace a whiteout by rename, but the two can change places.
    TRY(rename_in_upper(from, to, old_name, RENAME_EXCHANGE));
    return old_name == OldName::kStaysHidden ? Result<void>()
                                             : host_status(unlinkat(from.directory, from.name, 0));
  }
  auto renamed = rename_in_upper(from, to, old_name, 0);
  if (!is_error(renamed, ENOTEMPTY) && !is_error(renamed, EEXIST)) return renamed;
  // The replaced directory is empty to the eye, yet holds whiteouts.
  WorkDirectory::Item replaced(overlay().work());
  TRY(replaced.take(to));
  renamed = rename_in_upper(from, to, old_name, 0);
  if (!renamed) TRY(replaced.move_to(to, RENAME_NOREPLACE));
  return renamed;
}

// What must hold before a rename: everything that moves is wholly in the upper.
Result<void> OverlayDirectory::prepare_to_move(Inode& moved, OverlayDirectory& destination,
                                               std::string_view name) {
  if (!moved.is_directory()) return static_cast<OverlayFile&>(moved).make_upper(CopiedData::kWhole);
  auto& directory = static_cast<OverlayDirectory&>(moved);
  if (!directory.is_whole()) return err(EXDEV);
  if (!TRY(destination.is_below(name))) return {};
  PinnedName at = TRY(directory.place());
  return make_opaque(at.host(), overlay().upper_format());
}

Result<void> OverlayDirectory::make_whole() {
  TRY(make_upper(CopiedData::kWhole));
  if (!is_merged()) return {};
  PinnedName at = TRY(place());
  TRY(make_opaque(at.host(), overlay().upper_format()));
  parts_.erase(parts_.begin() + 1, parts_.end());
  overlay().keep_inode(upper()->identity().inode, inode_);
  return {};
}

void OverlayDirectory::moved_to(OverlayDirectory& new_parent, std::string_view new_name) {
  upper()->moved(new_parent.upper(), new_name);
  parent_ = new_parent.self();
  name_ = new_name;
}

Result<void> OverlayDirectory::rename(std::string_view old_name, const InodePtr& moved,
                                      const InodePtr& new_directory, std::string_view new_name,
                                      const InodePtr& replaced, unsigned flags) {
  if (&new_directory->filesystem() != &filesystem()) return err(EXDEV);
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) return err(EINVAL);
  if (replaced != nullptr && (flags & RENAME_NOREPLACE)) return err(EEXIST);
  const bool is_exchange = flags & RENAME_EXCHANGE;
  if (is_exchange && replaced == nullptr) return err(ENOENT);
  auto& target = static_cast<OverlayDirectory&>(*new_directory);
  TRY(check_new_name(new_name));
  const bool replaces_directory = replaced != nullptr && replaced->is_directory();
  if (replaces_directory && !is_exchange && !TRY(static_cast<OverlayDirectory&>(*replaced).is_empty()))
    return err(ENOTEMPTY);

  TRY(make_upper(CopiedData::kWhole));
  TRY(target.make_upper(CopiedData::kWhole));
  TRY(prepare_to_move(*moved, target, new_name));
  if (is_exchange) TRY(prepare_to_move(*replaced, *this, old_name));

  HostDirectory::Pin from_pin = TRY(upper()->pin()), to_pin = TRY(target.upper()->pin());
  TerminatedName from_name(old_name), to_name(new_name);
  HostName from{from_pin.get(), from_name.c_str()}, to{to_pin.get(), to_name.c_str()};
  OldName left = TRY(is_below(old_name)) ? OldName::kStaysHidden : OldName::kGoes;
  if (moved->is_directory() && !is_exchange) {
    TRY(move_directory(from, to, left));
  } else {
    TRY(rename_in_upper(from, to, left, is_exchange ? RENAME_EXCHANGE : 0));
  }

  if (moved->is_directory()) static_cast<OverlayDirectory&>(*moved).moved_to(target, new_name);
  if (replaces_directory) {
    auto& other = static_cast<OverlayDirectory&>(*replaced);
    if (is_exchange) {
      other.moved_to(*this, old_name);
    } else {
      other.mark_removed();
    }
  }
  return {};
}

}  // namespace sandbox::vfs
