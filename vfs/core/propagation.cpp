// Vfs: what is mounted on one mount appears on its peers and slaves (fs/pnode.c), within the sandbox.
#include <sys/mount.h>

#include <algorithm>

#include "vfs/core/vfs.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {

namespace {

size_t size_of_group(const std::vector<MountPtr>& mounts, int group) {
  return std::ranges::count(mounts, group, [](const MountPtr& one) { return one->peer_group; });
}

}  // namespace

// The last of a group hands its slaves to its own master.
void Vfs::leave_groups(Mount& mount) {
  const int group = std::exchange(mount.peer_group, 0);
  const int master = std::exchange(mount.master_group, 0);
  if (group == 0 || size_of_group(mounts_, group) > 0) return;
  for (const MountPtr& other : mounts_)
    if (other->master_group == group) other->master_group = master;
}

Result<void> Vfs::change_propagation(const Location& where, unsigned long flags) {
  const unsigned long kind = flags & ~static_cast<unsigned long>(MS_REC | MS_SILENT);
  const bool is_known = kind == MS_SHARED || kind == MS_SLAVE || kind == MS_PRIVATE || kind == MS_UNBINDABLE;
  if (!is_known || where.dentry != where.mount->root) return err(EINVAL);
  std::vector<MountPtr> changing{where.mount};
  for (size_t index = 0; (flags & MS_REC) && index < changing.size(); ++index)
    for (const MountPtr& other : mounts_)
      if (other->parent == changing[index]) changing.push_back(other);
  for (const MountPtr& mount : changing) {
    mount->is_unbindable = kind == MS_UNBINDABLE;
    if (kind == MS_SHARED) {
      if (mount->peer_group == 0) mount->peer_group = next_peer_group_++;
      continue;
    }
    const int group = mount->peer_group, master = mount->master_group;
    const auto peers = size_of_group(mounts_, group);
    if (kind == MS_SLAVE && group == 0) continue;
    leave_groups(*mount);
    if (kind == MS_SLAVE) mount->master_group = peers > 1 ? group : master;
  }
  changed();
  return {};
}

Result<void> Vfs::set_propagation(std::string_view path, unsigned long flags) {
  const Credentials everything{.effective_caps = ~uint64_t{0}};
  std::unique_lock lock(tree_lock_);
  return change_propagation(TRY(walk_locked(Caller{root_, root_, everything}, root_, path, {})), flags);
}

Result<void> Vfs::check_room(size_t mounts, size_t receivers) const {
  constexpr size_t kMostMounts = 100'000;
  if (mounts_.size() + mounts * (receivers + 1) > kMostMounts) return err(ENOSPC);
  return {};
}

std::vector<MountPtr> Vfs::receivers_of(const Location& where) const {
  std::vector<MountPtr> found;
  std::vector<int> groups{where.mount->peer_group};
  if (groups[0] == 0) return found;
  for (size_t index = 0; index < groups.size(); ++index) {
    for (const MountPtr& mount : mounts_) {
      const bool is_reached = mount->peer_group == groups[index] || mount->master_group == groups[index];
      if (!is_reached || mount == where.mount || std::ranges::count(found, mount) > 0) continue;
      if (mount->peer_group != 0 && std::ranges::count(groups, mount->peer_group) == 0)
        groups.push_back(mount->peer_group);
      if (mount->filesystem == where.mount->filesystem && is_ancestor(*mount->root, *where.dentry))
        found.push_back(mount);
    }
  }
  return found;
}

// Mounts below the original come along, below the same dentries seen through the copy.
void Vfs::copy_mounts_below(const MountPtr& original, const MountPtr& copy) {
  std::vector<std::pair<MountPtr, MountPtr>> copied{{original, copy}};
  const size_t known = mounts_.size();
  for (size_t index = 0; index < known; ++index) {
    const MountPtr below = mounts_[index];
    if (below == copy || !below->parent || below->is_unbindable) continue;
    for (size_t pair = 0; pair < copied.size(); ++pair) {
      if (below->parent != copied[pair].first) continue;
      if (!is_ancestor(*copied[pair].second->root, *below->mountpoint)) continue;
      MountPtr twin = attach(below->filesystem, below->root, {copied[pair].second, below->mountpoint},
                             below->flags, below->source);
      twin->is_locked = below->is_locked;
      twin->peer_group = below->peer_group;
      twin->master_group = below->master_group;
      copied.emplace_back(below, twin);
      break;
    }
  }
}

// attach_recursive_mnt(): on a shared mount what is mounted is shared, and its copies are its peers; on
// slaves they are its slaves.
void Vfs::propagate_mount(const MountPtr& tree, const std::vector<MountPtr>& receivers) {
  const int group = tree->parent->peer_group;
  if (group == 0) return;
  std::vector<MountPtr> whole{tree};
  for (size_t index = 0; index < whole.size(); ++index) {
    if (whole[index]->peer_group == 0) whole[index]->peer_group = next_peer_group_++;
    for (const MountPtr& other : mounts_)
      if (other->parent == whole[index]) whole.push_back(other);
  }
  for (const MountPtr& receiver : receivers) {
    MountPtr copy =
        attach(tree->filesystem, tree->root, {receiver, tree->mountpoint}, tree->flags, tree->source);
    copy->peer_group = tree->peer_group;
    copy_mounts_below(tree, copy);
    if (receiver->peer_group == group) continue;
    std::vector<MountPtr> slaves{copy};
    for (size_t index = 0; index < slaves.size(); ++index) {
      for (const MountPtr& other : mounts_)
        if (other->parent == slaves[index]) slaves.push_back(other);
      slaves[index]->master_group = slaves[index]->peer_group;
      slaves[index]->peer_group = receiver->peer_group == 0 ? 0 : next_peer_group_++;
    }
  }
}

std::vector<MountPtr> Vfs::propagated_copies(const Mount& mount) const {
  std::vector<MountPtr> copies;
  for (const MountPtr& receiver : receivers_of({mount.parent, mount.mountpoint})) {
    for (const MountPtr& other : mounts_) {
      const bool is_twin = other->parent == receiver && other->mountpoint == mount.mountpoint &&
                           other->filesystem == mount.filesystem && other->root == mount.root;
      if (is_twin && !other->is_locked) copies.push_back(other);
    }
  }
  return copies;
}

}  // namespace sandbox::vfs
