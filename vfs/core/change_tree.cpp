// Vfs: calls that create, remove, link and rename (fs/namei.c: filename_create, may_delete, do_renameat2).
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/core/permission.h"
#include "vfs/core/vfs.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {
namespace {

// How many nodes a rename brings into the upper layer before other calls get their turn.
constexpr int kMadeWholeAtOnce = 256;

// A change of one entry, told to whoever is reading that directory.
void tell_readers(const DentryPtr& directory, std::string_view name, const InodePtr& inode) {
  std::lock_guard lock(directory->listing_lock);
  if (!directory->listing) return;
  auto attributes = inode ? inode->getattr() : Result<Attributes>(err(ENOENT));
  if (attributes) {
    directory->listing->add(
        {std::string(name), attributes->stx_ino, static_cast<uint8_t>(inode->type() >> 12)});
  } else {
    directory->listing->remove(name);
  }
}

}  // namespace

bool Vfs::is_mountpoint(const DentryPtr& dentry) const {
  return dentry->mounts_here.load(std::memory_order_relaxed) > 0 || dentry->is_pinned;
}

// inode_init_owner() and mode_strip_sgid().
Result<NewNode> Vfs::owned_by_caller(const Caller& caller, const Location& directory, mode_t mode) {
  const Credentials& who = caller.credentials;
  NewNode node;
  node.mode = mode;
  node.uid = who.fsuid;
  node.gid = who.fsgid;
  Attributes above = TRY(directory.dentry->inode()->getattr());
  if (above.stx_mode & S_ISGID) {
    node.gid = above.stx_gid;
    if (S_ISDIR(mode)) {
      node.mode |= S_ISGID;
    } else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !who.is_in_group(node.gid) &&
               !who.has_capability(CAP_FSETID)) {
      node.mode &= ~static_cast<mode_t>(S_ISGID);
    }
  }
  return node;
}

Result<void> Vfs::check_create(const Caller& caller, const Parent& parent) {
  if (!parent.directory.dentry->inode()->filesystem().holds_missing_names()) return err(ENOENT);
  if (parent.directory.mount->flags.is_read_only) return err(EROFS);
  if (parent.directory.dentry->is_deleted()) return err(ENOENT);
  return check_permission(caller.credentials, TRY(parent.directory.dentry->inode()->getattr()), W_OK | X_OK);
}

Result<DentryPtr> Vfs::create_at(const Parent& parent, const NewNode& node) {
  const DentryPtr& directory = parent.directory.dentry;
  InodePtr made = TRY(directory->inode()->create(parent.name, node));
  directory->forget_child(parent.name);
  DentryPtr child = directory->add_child(std::make_shared<Dentry>(directory, parent.name, made));
  tell_readers(directory, parent.name, made);
  changed();
  return child;
}

Result<void> Vfs::mkdir(const Caller& caller, const Location& base, std::string_view path, mode_t mode) {
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind != LastKind::kName) return err(EEXIST);
  if (!TRY(child_of(parent.directory.dentry, parent.name))->is_negative()) return err(EEXIST);
  TRY(check_create(caller, parent));
  NewNode node = TRY(owned_by_caller(caller, parent.directory, S_IFDIR | ((mode & 01777) & ~caller.umask)));
  TRY(create_at(parent, node));
  return {};
}

Result<void> Vfs::mknod(const Caller& caller, const Location& base, std::string_view path, mode_t mode,
                        dev_t device) {
  mode_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
  if (type == S_IFDIR) return err(EPERM);
  if (type == S_IFLNK) return err(EINVAL);
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind != LastKind::kName) return err(EEXIST);
  if (!TRY(child_of(parent.directory.dentry, parent.name))->is_negative()) return err(EEXIST);
  if (parent.has_trailing_slash) return err(ENOENT);
  TRY(check_create(caller, parent));
  bool is_device = type == S_IFCHR || type == S_IFBLK;
  const bool can_show = parent.directory.dentry->inode()->filesystem().shows_devices() &&
                        caller.credentials.has_capability(CAP_MKNOD);
  // As in any user namespace.
  if (is_device && !(type == S_IFCHR && device == 0) && !can_show) return err(EPERM);
  NewNode node = TRY(owned_by_caller(caller, parent.directory, type | ((mode & 07777) & ~caller.umask)));
  node.device = device;
  TRY(create_at(parent, node));
  return {};
}

Result<void> Vfs::symlink(const Caller& caller, std::string_view target, const Location& base,
                          std::string_view path) {
  if (target.empty()) return err(ENOENT);
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind != LastKind::kName) return err(EEXIST);
  if (!TRY(child_of(parent.directory.dentry, parent.name))->is_negative()) return err(EEXIST);
  if (parent.has_trailing_slash) return err(ENOENT);
  TRY(check_create(caller, parent));
  NewNode node = TRY(owned_by_caller(caller, parent.directory, S_IFLNK | 0777));
  node.symlink_target = target;
  TRY(create_at(parent, node));
  return {};
}

Result<void> Vfs::link(const Caller& caller, const Location& old_base, std::string_view old_path,
                       const WalkOptions& old_options, int old_object, const Location& new_base,
                       std::string_view new_path) {
  std::unique_lock lock(tree_lock_);
  Location old = TRY(walk_locked(caller, old_base, old_path, old_options));
  Parent parent = TRY(walk_parent(caller, new_base, new_path));
  if (parent.kind != LastKind::kName) return err(EEXIST);
  if (!TRY(child_of(parent.directory.dentry, parent.name))->is_negative()) return err(EEXIST);
  if (parent.has_trailing_slash || parent.directory.dentry->is_deleted()) return err(ENOENT);
  const InodePtr& source = old.dentry->inode();
  // An unnamed or deleted object, by its descriptor or by the link to that in /proc: the host says whether it
  // may get a name.
  bool is_unnamed = old.mount == anonymous_mount_;
  UniqueFd object;
  if (is_unnamed && old_object < 0) {
    object = TRY(source->host_object());
    old_object = object.get();
  }
  if (old.mount != parent.directory.mount && !is_unnamed) return err(EXDEV);
  TRY(check_link_source(caller.credentials, TRY(source->getattr())));
  TRY(check_create(caller, parent));
  if (source->is_directory()) return err(EPERM);
  const DentryPtr& directory = parent.directory.dentry;
  if (is_unnamed) {
    TRY(directory->inode()->link_unnamed(parent.name, old_object));
  } else {
    TRY(directory->inode()->link(parent.name, source));
  }
  directory->forget_child(parent.name);
  if (old.dentry->parent())
    old.dentry->parent()->forget_child(old.dentry->name());  // may have been copied up
  auto made = directory->inode()->lookup(parent.name);
  if (made) tell_readers(directory, parent.name, *made);
  changed();
  return {};
}

Result<void> Vfs::unlink(const Caller& caller, const Location& base, std::string_view path) {
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind != LastKind::kName) return err(EISDIR);
  if (parent.directory.mount->flags.is_read_only) return err(EROFS);
  const DentryPtr& directory = parent.directory.dentry;
  DentryPtr child = TRY(child_of(directory, parent.name));
  if (child->is_negative()) return err(ENOENT);
  const InodePtr inode = child->inode();
  if (parent.has_trailing_slash) return err(inode->is_directory() ? EISDIR : ENOTDIR);
  TRY(check_delete(caller.credentials, TRY(directory->inode()->getattr()), TRY(inode->getattr())));
  if (inode->is_directory()) return err(EISDIR);
  if (is_mountpoint(child)) return err(EBUSY);
  TRY(directory->inode()->unlink(parent.name, inode));
  directory->delete_child(parent.name);
  tell_readers(directory, parent.name, nullptr);
  changed();
  return {};
}

Result<void> Vfs::rmdir(const Caller& caller, const Location& base, std::string_view path) {
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind == LastKind::kDot) return err(EINVAL);
  if (parent.kind == LastKind::kDotDot) return err(ENOTEMPTY);
  if (parent.kind == LastKind::kRoot) return err(EBUSY);
  if (parent.directory.mount->flags.is_read_only) return err(EROFS);
  const DentryPtr& directory = parent.directory.dentry;
  DentryPtr child = TRY(child_of(directory, parent.name));
  if (child->is_negative()) return err(ENOENT);
  const InodePtr inode = child->inode();
  TRY(check_delete(caller.credentials, TRY(directory->inode()->getattr()), TRY(inode->getattr())));
  if (!inode->is_directory()) return err(ENOTDIR);
  if (is_mountpoint(child)) return err(EBUSY);
  if (!child->pinned_children().empty()) return err(EBUSY);
  TRY(directory->inode()->rmdir(parent.name, inode));
  directory->delete_child(parent.name);
  tell_readers(directory, parent.name, nullptr);
  changed();
  return {};
}

Result<void> Vfs::check_rename(const Caller& caller, const Parent& from, const Parent& to,
                               const DentryPtr& moved, const DentryPtr& replaced, unsigned flags) {
  const Credentials& who = caller.credentials;
  const InodePtr& inode = moved->inode();
  bool is_exchange = flags & RENAME_EXCHANGE;
  Attributes from_directory = TRY(from.directory.dentry->inode()->getattr());
  Attributes to_directory = TRY(to.directory.dentry->inode()->getattr());
  Attributes attributes = TRY(inode->getattr());
  TRY(check_delete(who, from_directory, attributes));
  if (replaced->is_negative()) {
    if (to.directory.dentry->is_deleted()) return err(ENOENT);
    TRY(check_permission(who, to_directory, W_OK | X_OK));
  } else {
    TRY(check_delete(who, to_directory, TRY(replaced->inode()->getattr())));
    bool replaces_directory = replaced->inode()->is_directory();
    if (!is_exchange && inode->is_directory() && !replaces_directory) return err(ENOTDIR);
    if (!is_exchange && !inode->is_directory() && replaces_directory) return err(EISDIR);
  }
  // A directory that changes its parent has its ".." rewritten.
  bool changes_parent = from.directory.dentry != to.directory.dentry;
  if (changes_parent && inode->is_directory()) TRY(check_permission(who, attributes, W_OK));
  if (changes_parent && is_exchange && replaced->inode()->is_directory())
    TRY(check_permission(who, TRY(replaced->inode()->getattr()), W_OK));
  if (is_mountpoint(moved) || (!replaced->is_negative() && is_mountpoint(replaced))) return err(EBUSY);
  return {};
}

// Goes through the cached names, so that whoever is below keeps its node. What was done stays done, so that a
// large tree can be made whole a piece at a time.
Result<void> Vfs::make_whole(const Caller& caller, const DentryPtr& top) {
  struct Level {
    DentryPtr directory;
    std::vector<DirectoryEntry> entries;
    size_t next = 0;
  };
  int allowance = kMadeWholeAtOnce;
  std::vector<Level> levels;
  auto visit = [&](const DentryPtr& dentry) -> Result<void> {
    const InodePtr& inode = dentry->inode();
    if (inode == nullptr || inode->is_whole()) return {};
    if (allowance-- == 0) return prepare_first(nullptr);
    if (!inode->is_directory()) return inode->make_whole();
    levels.push_back({dentry, TRY(inode->list(caller))});
    return {};
  };
  auto visit_all = [&]() -> Result<void> {
    TRY(visit(top));
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next < level.entries.size()) {
        const std::string name = level.entries[level.next++].name;
        TRY(visit(TRY(child_of(level.directory, name))));
      } else {
        TRY(level.directory->inode()->make_whole());
        levels.pop_back();
      }
    }
    return {};
  };
  auto made = visit_all();
  // What the sentry may not read it cannot bring along: the program may try to copy it itself.
  if (!made && (made.error() == Errno(EACCES) || made.error() == Errno(EPERM))) return err(EXDEV);
  return made;
}

Result<void> Vfs::rename(const Caller& caller, const Location& old_base, std::string_view old_path,
                         const Location& new_base, std::string_view new_path, unsigned flags) {
  constexpr unsigned kKnown = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  bool is_exchange = flags & RENAME_EXCHANGE;
  if ((flags & ~kKnown) || (is_exchange && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
    return err(EINVAL);
  if (flags & RENAME_WHITEOUT) return err(EINVAL);  // overlayfs's own tool; no file system here takes it
  std::unique_lock lock(tree_lock_);
  Parent from = TRY(walk_parent(caller, old_base, old_path));
  Parent to = TRY(walk_parent(caller, new_base, new_path));
  if (from.directory.mount != to.directory.mount) return err(EXDEV);
  if (from.kind != LastKind::kName) return err(EBUSY);
  if (to.kind != LastKind::kName) return err(flags & RENAME_NOREPLACE ? EEXIST : EBUSY);
  if (from.directory.mount->flags.is_read_only) return err(EROFS);

  const DentryPtr& old_directory = from.directory.dentry;
  const DentryPtr& new_directory = to.directory.dentry;
  DentryPtr moved = TRY(child_of(old_directory, from.name));
  if (moved->is_negative()) return err(ENOENT);
  DentryPtr replaced = TRY(child_of(new_directory, to.name));
  if ((flags & RENAME_NOREPLACE) && !replaced->is_negative()) return err(EEXIST);
  if (is_exchange && replaced->is_negative()) return err(ENOENT);
  if (is_exchange && to.has_trailing_slash && !replaced->inode()->is_directory()) return err(ENOTDIR);
  if (!moved->inode()->is_directory()) {
    if (from.has_trailing_slash || (!is_exchange && to.has_trailing_slash)) return err(ENOTDIR);
  }
  if (is_ancestor(*moved, *new_directory)) return err(EINVAL);
  if (!replaced->is_negative() && is_ancestor(*replaced, *old_directory))
    return err(is_exchange ? EINVAL : ENOTEMPTY);
  if (moved == replaced) return {};
  TRY(check_rename(caller, from, to, moved, replaced, flags));

  const InodePtr target = replaced->inode();
  auto rename = [&] {
    return old_directory->inode()->rename(from.name, moved->inode(), new_directory->inode(), to.name, target,
                                          flags);
  };
  auto renamed = rename();
  if (!renamed && renamed.error() == Errno(EXDEV)) {
    TRY(make_whole(caller, moved));
    if (is_exchange) TRY(make_whole(caller, replaced));
    renamed = rename();
  }
  TRY(renamed);
  changed();
  if (is_exchange) {
    old_directory->forget_child(from.name);
    new_directory->forget_child(to.name);
    // Directories keep their identity (a task's cwd may be below them).
    if (moved->inode()->is_directory()) moved->move_to(new_directory, to.name);
    if (target->is_directory()) replaced->move_to(old_directory, from.name);
    tell_readers(old_directory, from.name, target);
    tell_readers(new_directory, to.name, moved->inode());
    return {};
  }
  if (!replaced->is_negative()) new_directory->delete_child(to.name);
  if (moved->inode()->is_directory()) {
    moved->move_to(new_directory, to.name);
    tell_readers(new_directory, to.name, moved->inode());
    tell_readers(old_directory, from.name, nullptr);
    return {};
  }
  old_directory->forget_child(from.name);
  new_directory->forget_child(to.name);
  // Two names of one file: rename(2) does nothing, so the old name may still be there.
  auto still_there = old_directory->inode()->lookup(from.name);
  tell_readers(old_directory, from.name, still_there ? *still_there : nullptr);
  auto arrived = new_directory->inode()->lookup(to.name);
  tell_readers(new_directory, to.name, arrived ? *arrived : nullptr);
  return {};
}

Result<SocketPlace> Vfs::prepare_socket(const Caller& caller, const Location& base, std::string_view path) {
  std::unique_lock lock(tree_lock_);
  Parent parent = TRY(walk_parent(caller, base, path));
  if (parent.kind != LastKind::kName || parent.has_trailing_slash) return err(EADDRINUSE);
  if (!TRY(child_of(parent.directory.dentry, parent.name))->is_negative()) return err(EADDRINUSE);
  TRY(check_create(caller, parent));
  SocketPlace place;
  place.node = TRY(owned_by_caller(caller, parent.directory, S_IFSOCK | (0777 & ~caller.umask)));
  TRY(parent.directory.dentry->inode()->uncover(parent.name));
  place.directory = TRY(parent.directory.dentry->inode()->writable_host_directory());
  place.name = parent.name;
  place.parent = parent.directory;
  return place;
}

Result<void> Vfs::socket_was_bound(const Caller&, const SocketPlace& place) {
  std::unique_lock lock(tree_lock_);
  const DentryPtr& directory = place.parent.dentry;
  directory->forget_child(place.name);
  DentryPtr child = TRY(child_of(directory, place.name));
  if (child->is_negative()) return err(ENOENT);
  AttributeChange owner{.mode = place.node.mode & 07777, .uid = place.node.uid, .gid = place.node.gid};
  TRY(child->inode()->setattr(owner));
  tell_readers(directory, place.name, child->inode());
  changed();
  return {};
}

Result<UniqueFd> Vfs::connectable(const Caller& caller, const Location& base, std::string_view path) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, {}));
  const InodePtr& inode = location.dentry->inode();
  TRY(check_permission(caller.credentials, TRY(inode->getattr()), W_OK));
  if (inode->type() != S_IFSOCK) return err(ECONNREFUSED);
  return inode->host_object();
}

}  // namespace sandbox::vfs
