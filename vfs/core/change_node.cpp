// Vfs: calls that change a node: mode, owner, times, size, extended attributes (fs/attr.c, fs/xattr.c).
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/core/permission.h"
#include "vfs/core/vfs.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {

Result<void> Vfs::apply(const Location& location, const AttributeChange& change) {
  const InodePtr& inode = location.dentry->inode();
  auto status = inode->setattr(change);
  if (inode->is_directory()) inode->forget_permissions();
  changed();
  return status;
}

Result<void> Vfs::chmod(const Caller& caller, const Location& base, std::string_view path, mode_t mode,
                        const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (location.mount->flags.is_read_only) return err(EROFS);
  const InodePtr& inode = location.dentry->inode();
  if (inode->is_symlink()) return err(EOPNOTSUPP);
  Attributes attributes = TRY(inode->getattr());
  TRY(check_owner(caller.credentials, attributes));
  mode &= 07777;
  bool keeps_setgid =
      caller.credentials.is_in_group(attributes.stx_gid) || caller.credentials.has_capability(CAP_FSETID);
  if (!keeps_setgid) mode &= ~static_cast<mode_t>(S_ISGID);
  return apply(location, {.mode = mode});
}

Result<void> Vfs::chown(const Caller& caller, const Location& base, std::string_view path, uid_t uid,
                        gid_t gid, const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (location.mount->flags.is_read_only) return err(EROFS);
  const InodePtr& inode = location.dentry->inode();
  Attributes attributes = TRY(inode->getattr());
  const Credentials& who = caller.credentials;
  AttributeChange change;
  if (uid != static_cast<uid_t>(-1)) change.uid = uid;
  if (gid != static_cast<gid_t>(-1)) change.gid = gid;
  if (!who.has_capability(CAP_CHOWN)) {
    bool is_owner = who.fsuid == attributes.stx_uid;
    if (change.uid && !(is_owner && *change.uid == attributes.stx_uid)) return err(EPERM);
    bool may_give_group =
        is_owner && change.gid && (who.is_in_group(*change.gid) || *change.gid == attributes.stx_gid);
    if (change.gid && !may_give_group) return err(EPERM);
    if (!change.uid && !change.gid) return {};
  }
  // Whoever takes over a program shall not inherit its set-id bits.
  bool is_executable_by_group = attributes.stx_mode & S_IXGRP;
  mode_t kept = attributes.stx_mode & 07777;
  if (!inode->is_directory() && !inode->is_symlink()) {
    kept &= ~static_cast<mode_t>(S_ISUID);
    if (is_executable_by_group || (!who.is_in_group(attributes.stx_gid) && !who.has_capability(CAP_FSETID)))
      kept &= ~static_cast<mode_t>(S_ISGID);
    if (kept != (attributes.stx_mode & 07777)) change.mode = kept;
  }
  return apply(location, change);
}

Result<void> Vfs::set_times(const Caller& caller, const Location& base, std::string_view path,
                            const std::optional<std::pair<timespec, timespec>>& times,
                            const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (location.mount->flags.is_read_only) return err(EROFS);
  timespec now{0, UTIME_NOW};
  timespec atime = times ? times->first : now, mtime = times ? times->second : now;
  if (atime.tv_nsec == UTIME_OMIT && mtime.tv_nsec == UTIME_OMIT) return {};
  Attributes attributes = TRY(location.dentry->inode()->getattr());
  bool are_both_now = atime.tv_nsec == UTIME_NOW && mtime.tv_nsec == UTIME_NOW;
  if (!check_owner(caller.credentials, attributes)) {
    if (!are_both_now) return err(EPERM);
    TRY(check_permission(caller.credentials, attributes, W_OK));
  }
  AttributeChange change;
  if (atime.tv_nsec != UTIME_OMIT) change.atime = atime;
  if (mtime.tv_nsec != UTIME_OMIT) change.mtime = mtime;
  return apply(location, change);
}

Result<void> Vfs::truncate(const Caller& caller, const Location& base, std::string_view path, uint64_t size) {
  if (static_cast<int64_t>(size) < 0) return err(EINVAL);
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, {}));
  const InodePtr& inode = location.dentry->inode();
  if (inode->is_directory()) return err(EISDIR);
  if (!inode->is_regular()) return err(EINVAL);
  if (location.mount->flags.is_read_only) return err(EROFS);
  Attributes attributes = TRY(inode->getattr());
  TRY(check_permission(caller.credentials, attributes, W_OK));
  if (is_executing_(attributes)) return err(ETXTBSY);
  return apply(location, {.size = size});
}

namespace {

enum class XattrUse { kRead, kWrite };

// xattr_permission(): who may see or change an attribute of which name space.
Result<void> check_xattr(const Credentials& who, const Attributes& attributes, const std::string& name,
                         XattrUse use) {
  bool is_writing = use == XattrUse::kWrite;
  if (name.starts_with("security.")) return is_writing ? Result<void>(err(EPERM)) : Result<void>();
  // ACLs are not understood: programs that copy them then fall back to the mode.
  if (name.starts_with("system.")) return is_writing ? Result<void>(err(EOPNOTSUPP)) : Result<void>();
  if (name.starts_with("trusted.")) {
    if (!who.has_capability(CAP_SYS_ADMIN)) return err(is_writing ? EPERM : ENODATA);
    return {};
  }
  if (!name.starts_with("user.")) {
    TRY(check_permission(who, attributes, is_writing ? W_OK : R_OK));
    return err(EOPNOTSUPP);
  }
  mode_t type = attributes.stx_mode & S_IFMT;
  if (type != S_IFREG && type != S_IFDIR) return err(is_writing ? EPERM : ENODATA);
  bool is_sticky_directory = type == S_IFDIR && (attributes.stx_mode & S_ISVTX);
  if (is_sticky_directory && is_writing) TRY(check_owner(who, attributes));
  return check_permission(who, attributes, is_writing ? W_OK : R_OK);
}

}  // namespace

Result<std::string> Vfs::getxattr(const Caller& caller, const Location& base, std::string_view path,
                                  const std::string& name, const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  const InodePtr& inode = location.dentry->inode();
  TRY(check_xattr(caller.credentials, TRY(inode->getattr()), name, XattrUse::kRead));
  return inode->getxattr(name);
}

Result<void> Vfs::setxattr(const Caller& caller, const Location& base, std::string_view path,
                           const std::string& name, std::string_view value, int flags,
                           const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (location.mount->flags.is_read_only) return err(EROFS);
  const InodePtr& inode = location.dentry->inode();
  TRY(check_xattr(caller.credentials, TRY(inode->getattr()), name, XattrUse::kWrite));
  changed();
  return inode->setxattr(name, value, flags);
}

Result<std::vector<std::string>> Vfs::listxattr(const Caller& caller, const Location& base,
                                                std::string_view path, const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  return location.dentry->inode()->listxattr();
}

Result<void> Vfs::removexattr(const Caller& caller, const Location& base, std::string_view path,
                              const std::string& name, const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (location.mount->flags.is_read_only) return err(EROFS);
  const InodePtr& inode = location.dentry->inode();
  TRY(check_xattr(caller.credentials, TRY(inode->getattr()), name, XattrUse::kWrite));
  changed();
  return inode->removexattr(name);
}

}  // namespace sandbox::vfs
