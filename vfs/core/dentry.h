// Dentry and Mount: the named tree that walks follow, and the places where file systems are joined.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "vfs/core/directory_listing.h"
#include "vfs/core/filesystem.h"

namespace sandbox::vfs {

// A cached name. `inode` null: negative, the name is known not to exist. Children are guarded by
// their own lock so that shared holders of the tree lock can add to the cache.
class Dentry : public std::enable_shared_from_this<Dentry> {
 public:
  Dentry(DentryPtr parent, std::string name, InodePtr inode)
      : parent_(std::move(parent)), name_(std::move(name)), inode_(std::move(inode)) {}

  const DentryPtr& parent() const { return parent_; }  // null at a file system's root
  const std::string& name() const { return name_; }
  const InodePtr& inode() const { return inode_; }
  bool is_negative() const { return inode_ == nullptr; }
  // Unlinked from the tree while somebody still uses it (a deleted cwd).
  bool is_deleted() const { return is_deleted_.load(std::memory_order_relaxed); }

  DentryPtr find_child(std::string_view name) const;
  // The cached child after the call: `child`, or one that another walk put there first.
  DentryPtr add_child(DentryPtr child);
  void forget_child(std::string_view name);
  // Tree lock exclusive: the child (and its subtree) is gone from the name space.
  void delete_child(std::string_view name);
  // Tree lock exclusive: becomes new_parent's child new_name.
  void move_to(const DentryPtr& new_parent, std::string new_name);
  // Drops cached descendants that nobody else holds; how many went.
  size_t prune();

  // How many mounts sit on this dentry: the walk asks the mount table only when it is not zero.
  std::atomic<int> mounts_here{0};
  // When the cached answer was last checked, milliseconds of CLOCK_MONOTONIC_COARSE (kRevalidate).
  std::atomic<uint64_t> checked_at_ms{0};

  // Exists only in the VFS (a mount point that the file system below could not hold): always listed,
  // never dropped. Set before the dentry is shared.
  bool is_pinned = false;
  std::vector<DentryPtr> pinned_children() const;
  // Takes the whole cached subtree apart: parents and children hold each other, so a tree that is no
  // longer mounted would else never go. Who still holds a dentry keeps it and its parents.
  void drop_children();

  // What readers of this directory walk through; null until somebody reads it.
  std::mutex listing_lock;
  std::unique_ptr<DirectoryListing> listing;

 private:
  void mark_deleted();

  DentryPtr parent_;
  std::string name_;
  const InodePtr inode_;
  std::atomic<bool> is_deleted_{false};
  mutable std::mutex children_lock_;
  std::map<std::string, DentryPtr, std::less<>> children_;
};

// Whether `ancestor` is `at` or above it in one file system.
bool is_ancestor(const Dentry& ancestor, const Dentry& at);

struct MountFlags {
  enum class AccessTimes { kRelative, kNever, kStrict };
  bool is_read_only = false;
  bool is_nosuid = true;
  bool is_nodev = false;
  bool is_noexec = false;
  AccessTimes access_times = AccessTimes::kRelative;
  bool is_nodiratime = false;
};

class Mount {
 public:
  Mount(int id, std::shared_ptr<Filesystem> filesystem, DentryPtr root, MountFlags flags)
      : id(id), filesystem(std::move(filesystem)), root(std::move(root)), flags(flags) {}

  const int id;
  const std::shared_ptr<Filesystem> filesystem;
  const DentryPtr root;  // the dentry that appears at the mount point
  MountFlags flags;      // tree lock
  // Where it sits; both null for the root mount and for a mount that was taken away.
  MountPtr parent;
  DentryPtr mountpoint;
  std::string source;  // as given to mount(2)
  // What mountinfo shows of a bind instead of "/"; "": the dentry's own path.
  std::string shown_root;
  // Mount propagation (mount_namespaces(7)), among the sandbox's own mounts; 0: none. Tree lock.
  int peer_group = 0;    // what is mounted on one of the group is mounted on all
  int master_group = 0;  // and on those that have it as their master
  bool is_unbindable = false;
  // Made by the sandbox's configuration: from inside it is neither moved, taken away nor loosened.
  bool is_locked = false;
};

}  // namespace sandbox::vfs
