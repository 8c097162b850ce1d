// Vfs: the mount table: set-up, mount(2) and umount2(2) by the sandbox's own root, and mountinfo
// (fs/namespace.c).
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include "vfs/core/open_object.h"
#include "vfs/core/vfs.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {
namespace {

constexpr unsigned long kPropagation = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

MountFlags flags_from(unsigned long flags) {
  MountFlags result;
  result.is_read_only = flags & MS_RDONLY;
  result.is_nodev = flags & MS_NODEV;
  result.is_noexec = flags & MS_NOEXEC;
  return result;
}

std::string propagation_words(const Mount& mount) {
  std::string words;
  if (mount.peer_group != 0) words += "shared:" + std::to_string(mount.peer_group) + " ";
  if (mount.master_group != 0) words += "master:" + std::to_string(mount.master_group) + " ";
  if (mount.is_unbindable) words += "unbindable ";
  return words;
}

}  // namespace

MountPtr Vfs::attach(std::shared_ptr<Filesystem> filesystem, DentryPtr root, const Location& where,
                     MountFlags flags, std::string source) {
  auto mount = std::make_shared<Mount>(next_mount_id_++, std::move(filesystem), std::move(root), flags);
  mount->parent = where.mount;
  mount->mountpoint = where.dentry;
  mount->source = std::move(source);
  where.dentry->mounts_here.fetch_add(1);
  mounts_.push_back(mount);
  changed();
  return mount;
}

// Set-up only: follows symlinks as the sandbox's root, makes what is missing.
Result<Location> Vfs::make_mountpoint(std::string_view path, mode_t type) {
  Credentials everything;
  everything.effective_caps = ~uint64_t{0};
  Caller setup{root_, root_, everything};
  Location at = root_;
  while (true) {
    size_t begin = path.find_first_not_of('/');
    if (begin == std::string_view::npos) return at;
    size_t end = std::min(path.find('/', begin), path.size());
    std::string name(path.substr(begin, end - begin));
    path.remove_prefix(end);
    bool is_last = path.find_first_not_of('/') == std::string_view::npos;
    if (name == "..") return err(EINVAL);
    if (name == ".") continue;
    auto found = Walk(*this, setup, at, 0).to_end(name, FollowLast::kYes);
    if (found) {
      at = *found;
      if (!is_last && !at.dentry->inode()->is_directory()) return err(ENOTDIR);
      continue;
    }
    if (found.error() != Errno(ENOENT)) return found;
    mode_t wanted = is_last && type != S_IFDIR ? S_IFREG : S_IFDIR;
    auto node = create_mountpoint_node(at.mount->filesystem ? *at.mount->filesystem : *anonymous_, wanted,
                                       0xFFFF000000ull + static_cast<uint64_t>(next_mount_id_++));
    at.dentry->forget_child(name);
    auto dentry = std::make_shared<Dentry>(at.dentry, name, node);
    dentry->is_pinned = true;
    at.dentry = at.dentry->add_child(dentry);
  }
}

Result<MountPtr> Vfs::mount_at(std::string_view path, std::shared_ptr<Filesystem> filesystem,
                               MountFlags flags, std::string source) {
  std::unique_lock lock(tree_lock_);
  InodePtr root = filesystem->root();
  Location where = TRY(make_mountpoint(path, root->type()));
  if (where.dentry->inode()->is_directory() != root->is_directory()) return err(ENOTDIR);
  auto dentry = std::make_shared<Dentry>(nullptr, "", root);
  MountPtr mount = attach(std::move(filesystem), dentry, where, flags, std::move(source));
  mount->is_locked = true;
  return mount;
}

Result<void> Vfs::make_read_only(std::string_view path) {
  const Credentials everything{.effective_caps = ~uint64_t{0}};
  std::unique_lock lock(tree_lock_);
  Location at = TRY(walk_locked(Caller{root_, root_, everything}, root_, path, {}));
  MountFlags flags = at.mount->flags;
  flags.is_read_only = true;
  attach(at.mount->filesystem, at.dentry, at, flags, at.mount->source)->is_locked = true;
  return {};
}

Result<void> Vfs::set_mount_flags(std::string_view path, MountFlags flags) {
  const Credentials everything{.effective_caps = ~uint64_t{0}};
  std::unique_lock lock(tree_lock_);
  Location at = TRY(walk_locked(Caller{root_, root_, everything}, root_, path, {}));
  if (at.dentry != at.mount->root) return err(EINVAL);
  at.mount->flags = flags;
  changed();
  return {};
}

Result<void> Vfs::remount(const Location& where, unsigned long flags) {
  if (where.dentry != where.mount->root) return err(EINVAL);
  MountFlags asked = flags_from(flags);
  MountFlags& present = where.mount->flags;
  // What set-up forbade stays forbidden: a mount of the configuration is never loosened from inside, nor is a
  // bind of it.
  const bool is_configured = std::ranges::any_of(mounts_, [&](const MountPtr& other) {
    return other->is_locked && other->filesystem == where.mount->filesystem;
  });
  if (is_configured && present.is_read_only && !asked.is_read_only) return err(EPERM);
  present.is_read_only = asked.is_read_only;
  if (!is_configured) {
    present.is_nodev = asked.is_nodev;
    present.is_noexec = asked.is_noexec;
  }
  changed();
  return {};
}

Result<void> Vfs::bind(const Caller& caller, const std::string& source, const Location& where,
                       unsigned long flags) {
  Location from = TRY(walk_locked(caller, caller.cwd, source, {}));
  if (from.dentry->inode()->is_directory() != where.dentry->inode()->is_directory()) return err(ENOTDIR);
  // Without the configured mounts on it, what they hide would be seen (has_locked_children).
  const bool has_configured_below = std::ranges::any_of(mounts_, [&](const MountPtr& other) {
    return other->is_locked && other->parent == from.mount && is_ancestor(*from.dentry, *other->mountpoint);
  });
  if (!(flags & MS_REC) && has_configured_below) return err(EINVAL);
  if (from.mount->is_unbindable) return err(EINVAL);
  const std::vector<MountPtr> receivers = receivers_of(where);
  TRY(check_room(flags & MS_REC ? mounts_.size() : 1, receivers.size()));
  MountPtr copy = attach(from.mount->filesystem, from.dentry, where, from.mount->flags, from.mount->source);
  copy->peer_group = from.mount->peer_group;
  copy->master_group = from.mount->master_group;
  if (flags & MS_REC) copy_mounts_below(from.mount, copy);
  propagate_mount(copy, receivers);
  return {};
}

Result<void> Vfs::mount(const Caller& caller, const std::string& source, const std::string& target,
                        const std::string& type, unsigned long flags, const std::string& data) {
  if ((flags & MS_MGC_MSK) == MS_MGC_VAL) flags &= ~static_cast<unsigned long>(MS_MGC_MSK);
  if (!caller.credentials.has_capability(CAP_SYS_ADMIN)) return err(EPERM);
  FilesystemFactory factory;
  {
    std::unique_lock lock(tree_lock_);
    Location where = TRY(walk_locked(caller, caller.cwd, target, {}));
    if (flags & MS_REMOUNT) return remount(where, flags);
    if (flags & kPropagation) return change_propagation(where, flags);
    if (flags & MS_BIND) return bind(caller, source, where, flags);
    if (flags & MS_MOVE) {
      Location moved = TRY(walk_locked(caller, caller.cwd, source, {}));
      bool is_movable = moved.dentry == moved.mount->root && moved.mount->parent && !moved.mount->is_locked &&
                        moved.mount->parent->peer_group == 0;
      if (!is_movable) return err(EINVAL);
      for (Location at = where; at.mount; at = {at.mount->parent, at.mount->mountpoint})
        if (at.mount == moved.mount) return err(ELOOP);
      const std::vector<MountPtr> receivers = receivers_of(where);
      TRY(check_room(mounts_.size(), receivers.size()));
      moved.mount->mountpoint->mounts_here.fetch_sub(1);
      moved.mount->parent = where.mount;
      moved.mount->mountpoint = where.dentry;
      where.dentry->mounts_here.fetch_add(1);
      propagate_mount(moved.mount, receivers);
      changed();
      return {};
    }
    auto found = factories_.find(type);
    if (found == factories_.end()) return err(ENODEV);
    if (!where.dentry->inode()->is_directory()) return err(ENOTDIR);
    factory = found->second;
  }
  std::shared_ptr<Filesystem> filesystem = TRY(factory(source, data));
  std::unique_lock lock(tree_lock_);
  Location where = TRY(walk_locked(caller, caller.cwd, target, {}));
  auto root = std::make_shared<Dentry>(nullptr, "", filesystem->root());
  const std::vector<MountPtr> receivers = receivers_of(where);
  TRY(check_room(1, receivers.size()));
  propagate_mount(attach(std::move(filesystem), root, where, flags_from(flags), source), receivers);
  return {};
}

// Cached names hold each other; only a bind of the same tree still wants them.
void Vfs::release_tree(const Mount& gone) {
  bool is_shared = std::any_of(mounts_.begin(), mounts_.end(),
                               [&](const MountPtr& other) { return other->filesystem == gone.filesystem; });
  if (is_shared) return;
  DentryPtr top = gone.root;
  while (top->parent()) top = top->parent();
  top->drop_children();
}

Result<void> Vfs::umount(const Caller& caller, const std::string& target, int flags) {
  constexpr int kKnown = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;
  if (flags & ~kKnown) return err(EINVAL);
  if (!caller.credentials.has_capability(CAP_SYS_ADMIN)) return err(EPERM);
  std::unique_lock lock(tree_lock_);
  FollowLast follow = flags & UMOUNT_NOFOLLOW ? FollowLast::kNo : FollowLast::kYes;
  Location where = TRY(walk_locked(caller, caller.cwd, target, {.follow = follow}));
  MountPtr mount = where.mount;
  if (where.dentry != mount->root || !mount->parent || mount->is_locked) return err(EINVAL);
  bool has_mounts_below = std::any_of(mounts_.begin(), mounts_.end(),
                                      [&](const MountPtr& other) { return other->parent == mount; });
  bool is_detached = flags & MNT_DETACH;
  if (has_mounts_below && !is_detached) return err(EBUSY);
  // What is below goes along, configured or not: with the tree that it is on it uncovers nothing.
  std::vector<MountPtr> going = propagated_copies(*mount);
  going.insert(going.begin(), mount);
  for (size_t index = 0; index < going.size(); ++index)
    for (const MountPtr& other : mounts_)
      if (other->parent == going[index] && std::ranges::count(going, other) == 0) going.push_back(other);
  detach(going);
  return {};
}

void Vfs::detach(const std::vector<MountPtr>& going) {
  for (const MountPtr& one : going) {
    leave_groups(*one);
    one->mountpoint->mounts_here.fetch_sub(1);
    one->parent = nullptr;
    one->mountpoint = nullptr;
    std::erase(mounts_, one);
  }
  for (const MountPtr& one : going) release_tree(*one);
  changed();
}

std::vector<Vfs::MountLine> Vfs::mounts(const Location& root) {
  std::shared_lock lock(tree_lock_);
  std::vector<MountLine> lines;
  for (const MountPtr& mount : mounts_) {
    Location at{mount, mount->root};
    // Below the caller's root only: others do not exist for it.
    bool is_visible = mount == root.mount;
    for (Location up = at; !is_visible && up.mount && up.mount->parent;
         up = {up.mount->parent, up.mount->mountpoint}) {
      is_visible = up.mount->parent == root.mount && is_ancestor(*root.dentry, *up.mount->mountpoint);
    }
    if (!is_visible) continue;
    MountLine line;
    line.id = mount->id;
    line.parent_id = mount->parent ? mount->parent->id : mount->id;
    line.device = mount->filesystem->device();
    line.root = mount->shown_root.empty() ? "/" : mount->shown_root;
    if (mount->root->parent()) {
      line.root.clear();
      for (const Dentry* dentry = mount->root.get(); dentry->parent(); dentry = dentry->parent().get())
        line.root.insert(0, "/" + dentry->name());
    }
    line.mountpoint = mount == root.mount ? "/" : path_string(root, at);
    line.flags = mount->flags;
    line.type = mount->filesystem->type();
    line.source = mount->source.empty() ? "none" : mount->source;
    line.options = mount->filesystem->options();
    line.propagation = propagation_words(*mount);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace sandbox::vfs
