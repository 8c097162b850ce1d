// Inode: a node of a file system. A file system overrides what its nodes have; the rest answers as Linux
// does.
#pragma once

#include <mutex>

#include "vfs/core/types.h"

namespace sandbox::vfs {

// The Linux analogue is struct inode with its inode_operations. Permission checks, mount flags and
// name validity are the caller's (Vfs) business: a method only acts.
//
// Locks: Vfs's tree lock is held, shared for queries (getattr, lookup, list, readlink, open without
// O_TRUNC or writing, getxattr, statfs) and exclusive for everything that changes a tree. Two shared
// callers may be inside one node at once, so caches inside a node need their own lock.
class Inode : public std::enable_shared_from_this<Inode> {
 public:
  explicit Inode(Filesystem& filesystem, mode_t type) : filesystem_(filesystem), type_(type & S_IFMT) {}
  virtual ~Inode() = default;
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  Filesystem& filesystem() const { return filesystem_; }
  mode_t type() const { return type_; }  // S_IFREG ...; it never changes
  bool is_directory() const { return type_ == S_IFDIR; }
  bool is_symlink() const { return type_ == S_IFLNK; }
  bool is_regular() const { return type_ == S_IFREG; }

  // stx_dev, stx_ino and everything else are exactly what fstat on an opened real descriptor gives.
  // Errors: ESTALE when others replaced the node by one of another type: the Vfs then looks it up again.
  virtual Result<Attributes> getattr() = 0;
  // stx_ino alone.
  virtual Result<uint64_t> number();
  virtual Result<void> setattr(const AttributeChange& change);  // default EPERM

  // Directories (default ENOTDIR). `name` is one component, never "." or "..".
  // Errors of lookup: ENOENT. A new Inode each time is fine: the dentry cache keeps identity.
  virtual Result<InodePtr> lookup(std::string_view name);
  // Whether a cached dentry `name` -> `child` (null: negative) is still right; only asked when the
  // file system's CachePolicy is kRevalidate. Default true.
  virtual bool is_current(std::string_view name, const InodePtr& child);
  // Default EPERM. After any of these the Vfs forgets or moves the dentries; an Inode of a moved
  // directory stays in use, that of a moved or replaced non-directory is looked up afresh.
  virtual Result<InodePtr> create(std::string_view name, const NewNode& node);
  virtual Result<void> link(std::string_view name, const InodePtr& target);
  virtual Result<void> unlink(std::string_view name, const InodePtr& child);
  virtual Result<void> rmdir(std::string_view name, const InodePtr& child);
  // `flags` are renameat2's. `replaced` is the node at the target, null when there is none.
  virtual Result<void> rename(std::string_view old_name, const InodePtr& moved, const InodePtr& new_directory,
                              std::string_view new_name, const InodePtr& replaced, unsigned flags);
  // Whether rename can move this node by itself. When it cannot it fails with EXDEV, and may be repeated once
  // make_whole was called on everything below that is not whole, children before their directory.
  virtual bool is_whole() const { return true; }
  virtual Result<void> make_whole() { return {}; }
  // Every entry except "." and "..", in a stable order.
  virtual Result<std::vector<DirectoryEntry>> list(const Caller& caller);

  // Symbolic links (default EINVAL).
  virtual Result<std::string> readlink(const Caller& caller);
  // A magic link (/proc/PID/exe, cwd, root, fd/N) names an object, not a path. Default: none.
  virtual Result<std::optional<Location>> follow_magic(const Caller& caller);

  // A real descriptor, opened by the sentry. `flags`: access mode and O_APPEND, O_TRUNC, O_DIRECT,
  // O_NONBLOCK, O_SYNC, O_DSYNC, O_NOATIME, O_PATH, O_NOCTTY; never O_CREAT; always opened
  // close-on-exec. Not called for directories (Vfs gives those a stub). Default: ENXIO.
  virtual Result<UniqueFd> open(const Caller& caller, int flags);
  // O_TMPFILE in this directory. Default EOPNOTSUPP.
  virtual Result<UniqueFd> open_unnamed(const Caller& caller, int flags, const NewNode& node);
  // Gives the unnamed object behind `object` a name here (linkat AT_EMPTY_PATH). Default EXDEV.
  virtual Result<void> link_unnamed(std::string_view name, int object);
  // An O_PATH descriptor of the real host object, for inotify and AF_UNIX connect. Default ENXIO.
  virtual Result<UniqueFd> host_object();
  // A descriptor of the writable host directory behind this directory, in which a socket can be
  // bound by name (copied up first when the file system has layers). Default EROFS.
  virtual Result<UniqueFd> writable_host_directory();
  // Called before something is made natively under the free name `name` in writable_host_directory():
  // takes away what a file system keeps there unseen (a whiteout). Default: nothing to do.
  virtual Result<void> uncover(std::string_view) { return {}; }

  // Whether opening this regular file means generate() and a private copy of its text.
  virtual bool is_generated() const { return false; }
  // A generated file: its content afresh (what reading from 0 gives); `caller` is null when nobody in
  // particular asks (then access was checked before). Default EINVAL: not generated.
  virtual Result<std::string> generate(const Caller* caller);
  // Asked before a generated file is opened for writing; what is written has no effect. Default EACCES.
  virtual Result<void> accept_writing(const Caller& caller);

  // Extended attributes; `name` with its prefix. Errors: ENODATA; default EOPNOTSUPP.
  virtual Result<std::string> getxattr(const std::string& name);
  virtual Result<void> setxattr(const std::string& name, std::string_view value, int flags);
  virtual Result<std::vector<std::string>> listxattr();  // default: empty
  virtual Result<void> removexattr(const std::string& name);

  // Whether a descriptor of the object with these numbers was opened from this very node, before the node
  // moved to another object (a copy-up).
  virtual bool stood_for(dev_t, ino_t) const { return false; }

  // Whether owner and mode stay until somebody changes them. Not so for what shows a task's state.
  virtual bool has_steady_permissions() const { return true; }
  // getattr for a permission check on a directory, at most kPermissionAge old; forgotten by the Vfs
  // after each setattr.
  virtual Result<Attributes> permission_attributes(uint64_t now_ms);
  void forget_permissions();

 private:
  static constexpr uint64_t kPermissionAgeMs = 1000;
  Filesystem& filesystem_;
  const mode_t type_;
  std::mutex permissions_lock_;
  std::unique_ptr<Attributes> permissions_;
  uint64_t permissions_read_at_ms_ = 0;
};

}  // namespace sandbox::vfs
