// stat(2), statx(2), access(2), readlink(2), statfs(2): questions about a node.
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

struct stat to_stat(const vfs::Attributes& from) {
  struct stat to{};
  to.st_dev = makedev(from.stx_dev_major, from.stx_dev_minor);
  to.st_ino = from.stx_ino;
  to.st_nlink = from.stx_nlink;
  to.st_mode = from.stx_mode;
  to.st_uid = from.stx_uid;
  to.st_gid = from.stx_gid;
  to.st_rdev = makedev(from.stx_rdev_major, from.stx_rdev_minor);
  to.st_size = static_cast<off_t>(from.stx_size);
  to.st_blksize = from.stx_blksize;
  to.st_blocks = static_cast<blkcnt_t>(from.stx_blocks);
  to.st_atim = {from.stx_atime.tv_sec, from.stx_atime.tv_nsec};
  to.st_mtim = {from.stx_mtime.tv_sec, from.stx_mtime.tv_nsec};
  to.st_ctim = {from.stx_ctime.tv_sec, from.stx_ctime.tv_nsec};
  return to;
}

Result<vfs::Attributes> attributes_of_descriptor(Call& call, Fd fd) {
  UniqueFd copy = TRY(call.descriptor(fd));
  return call.vfs().stat_descriptor(call.caller(), copy.get());
}

// vfs_empty_path (fs/stat.c): with AT_EMPTY_PATH a null path counts as "".
Result<std::string> read_path_or_empty(Call& call, PathPtr path, int flags) {
  if (path.is_null() && (flags & AT_EMPTY_PATH)) return std::string();
  return call.read_path(path);
}

Result<vfs::Attributes> attributes_at(Call& call, DirFd directory, PathPtr path_pointer, int flags) {
  std::string path = TRY(read_path_or_empty(call, path_pointer, flags));
  if (path.empty() && (flags & AT_EMPTY_PATH) && directory != AT_FDCWD)
    return attributes_of_descriptor(call, Fd{{directory}});
  vfs::WalkOptions options;
  if (flags & AT_SYMLINK_NOFOLLOW) options.follow = vfs::FollowLast::kNo;
  if (flags & AT_EMPTY_PATH) options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  if (path.empty() && !(flags & AT_EMPTY_PATH)) return err(ENOENT);
  vfs::Location base = TRY(call.base(directory, path));
  return call.vfs().stat(call.caller(), base, path, options);
}

Result<Reply> write_stat(Call& call, Result<vfs::Attributes> attributes, Out<struct stat> buffer) {
  TRY(call.memory().write(buffer, to_stat(TRY(std::move(attributes)))));
  return 0;
}

// access(2) judges by the real ids, and by no capability unless the real user is root, then by all it could
// have (fs/open.c, access_override_creds).
Credentials with_real_ids(const Credentials& credentials) {
  Credentials real = credentials;
  real.fsuid = credentials.uid;
  real.fsgid = credentials.gid;
  real.effective_caps = credentials.uid == 0 ? credentials.permitted_caps : 0;
  return real;
}

Result<Reply> check_access(Call& call, DirFd directory, PathPtr path, int mode, int flags) {
  if (mode & ~(R_OK | W_OK | X_OK)) return err(EINVAL);
  TRY(allow_flags(flags, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  PathArgument where = TRY(call.path_at(directory, path, flags));
  const Credentials& own = call.credentials();
  bool is_same = own.uid == own.fsuid && own.gid == own.fsgid &&
                 own.effective_caps == (own.uid == 0 ? own.permitted_caps : 0);
  if ((flags & AT_EACCESS) || is_same) {
    TRY(call.vfs().access(call.caller(), where.base, where.path, mode, where.options));
    return 0;
  }
  Credentials real = with_real_ids(own);
  const vfs::Caller& caller = call.caller();
  vfs::Caller as_real{.root = caller.root,
                      .cwd = caller.cwd,
                      .credentials = real,
                      .umask = caller.umask,
                      .host_tid = caller.host_tid};
  TRY(call.vfs().access(as_real, where.base, where.path, mode, where.options));
  return 0;
}

Result<Reply> read_link(Call& call, DirFd directory, PathPtr path, OutBytes buffer, int size) {
  if (size <= 0) return err(EINVAL);
  PathArgument where = TRY(call.path_at(directory, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  Result<std::string> target = call.vfs().readlink(call.caller(), where.base, where.path, where.options);
  // do_readlinkat: an empty path is one that names nothing unless the descriptor is a link.
  if (!target && target.error() == Errno(EINVAL) && where.path.empty()) return err(ENOENT);
  std::string text = TRY(std::move(target));
  text.resize(std::min<size_t>(text.size(), size));
  TRY(call.memory().write_bytes(buffer.address, std::as_bytes(std::span(text))));
  return static_cast<int64_t>(text.size());
}

}  // namespace

SyscallResult sys_stat(Call& call, PathPtr path, Out<struct stat> buffer) {
  return write_stat(call, attributes_at(call, kCwd, path, 0), buffer);
}

SyscallResult sys_lstat(Call& call, PathPtr path, Out<struct stat> buffer) {
  return write_stat(call, attributes_at(call, kCwd, path, AT_SYMLINK_NOFOLLOW), buffer);
}

SyscallResult sys_fstat(Call& call, Fd fd, Out<struct stat> buffer) {
  return write_stat(call, attributes_of_descriptor(call, fd), buffer);
}

SyscallResult sys_newfstatat(Call& call, DirFd directory, PathPtr path, Out<struct stat> buffer,
                             AtFlags flags) {
  TRY(allow_flags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH));
  return write_stat(call, attributes_at(call, directory, path, flags), buffer);
}

SyscallResult sys_statx(Call& call, DirFd directory, PathPtr path, StatxAtFlags flags, StatxMask mask,
                        Out<struct statx> buffer) {
  if (mask & STATX__RESERVED) return err(EINVAL);
  if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) return err(EINVAL);
  TRY(allow_flags(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE));
  vfs::Attributes attributes = TRY(attributes_at(call, directory, path, flags));
  TRY(call.memory().write(buffer, attributes));
  return 0;
}

SyscallResult sys_access(Call& call, PathPtr path, AccessMode mode) {
  return check_access(call, kCwd, path, mode, 0);
}

SyscallResult sys_faccessat(Call& call, DirFd directory, PathPtr path, AccessMode mode) {
  return check_access(call, directory, path, mode, 0);
}

SyscallResult sys_faccessat2(Call& call, DirFd directory, PathPtr path, AccessMode mode,
                             AccessAtFlags flags) {
  return check_access(call, directory, path, mode, flags);
}

SyscallResult sys_readlink(Call& call, PathPtr path, OutBytes buffer, Length size) {
  return read_link(call, kCwd, path, buffer, size);
}

SyscallResult sys_readlinkat(Call& call, DirFd directory, PathPtr path, OutBytes buffer, Length size) {
  return read_link(call, directory, path, buffer, size);
}

SyscallResult sys_statfs(Call& call, PathPtr path, Out<struct statfs> buffer) {
  PathArgument where = TRY(call.path_at(kCwd, path));
  struct statfs result = TRY(call.vfs().statfs(call.caller(), where.base, where.path, where.options));
  TRY(call.memory().write(buffer, result));
  return 0;
}

SyscallResult sys_fstatfs(Call& call, Fd fd, Out<struct statfs> buffer) {
  PathArgument where = TRY(call.object_path(fd));
  struct statfs result = TRY(call.vfs().statfs(call.caller(), where.base, where.path, where.options));
  TRY(call.memory().write(buffer, result));
  return 0;
}

}  // namespace sandbox
