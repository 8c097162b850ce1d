// mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rename(2): calls that make, move and remove names.
#include <linux/fs.h>
#include <sys/stat.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// The second path of a call: that it is empty is noticed after the first one was walked.
Result<PathArgument> second_path(Call& call, DirFd directory, PathPtr pointer) {
  PathArgument argument;
  argument.path = TRY(call.read_path(pointer));
  argument.base = argument.path.empty() ? call.caller().cwd : TRY(call.base(directory, argument.path));
  return argument;
}

Result<Reply> make_directory(Call& call, DirFd directory, PathPtr path, mode_t mode) {
  PathArgument where = TRY(call.path_at(directory, path));
  TRY(call.vfs().mkdir(call.caller(), where.base, where.path, mode));
  return 0;
}

Result<Reply> make_node(Call& call, DirFd directory, PathPtr path, mode_t mode, dev_t device) {
  mode_t type = mode & S_IFMT;
  if (type == S_IFDIR) return err(EPERM);
  if (type == 0) mode |= S_IFREG;
  if (type != 0 && type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO &&
      type != S_IFSOCK)
    return err(EINVAL);
  PathArgument where = TRY(call.path_at(directory, path));
  TRY(call.vfs().mknod(call.caller(), where.base, where.path, mode, device));
  return 0;
}

Result<Reply> make_link(Call& call, DirFd old_directory, PathPtr old_path, DirFd new_directory,
                        PathPtr new_path, int flags) {
  TRY(allow_flags(flags, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH));
  std::string from = TRY(call.read_path(old_path));
  vfs::WalkOptions options;
  if (!(flags & AT_SYMLINK_FOLLOW)) options.follow = vfs::FollowLast::kNo;
  UniqueFd object;
  vfs::Location base;
  if (!from.empty()) {
    base = TRY(call.base(old_directory, from));
  } else if (flags & AT_EMPTY_PATH) {
    options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
    if (old_directory != AT_FDCWD) object = TRY(call.descriptor(Fd{{old_directory}}));
    base = old_directory == AT_FDCWD ? call.caller().cwd : TRY(call.object(Fd{{old_directory}}));
  } else {
    return err(ENOENT);
  }
  PathArgument to = TRY(second_path(call, new_directory, new_path));
  TRY(call.vfs().link(call.caller(), base, from, options, object.get(), to.base, to.path));
  return 0;
}

Result<Reply> make_symlink(Call& call, StringPtr target_pointer, DirFd directory, PathPtr path) {
  std::string target = TRY(call.read_path(target_pointer));
  if (target.empty()) return err(ENOENT);
  PathArgument where = TRY(call.path_at(directory, path));
  TRY(call.vfs().symlink(call.caller(), target, where.base, where.path));
  return 0;
}

Result<Reply> remove_name(Call& call, DirFd directory, PathPtr path) {
  PathArgument where = TRY(call.path_at(directory, path));
  TRY(call.vfs().unlink(call.caller(), where.base, where.path));
  return 0;
}

Result<Reply> remove_directory(Call& call, DirFd directory, PathPtr path) {
  PathArgument where = TRY(call.path_at(directory, path));
  TRY(call.vfs().rmdir(call.caller(), where.base, where.path));
  return 0;
}

Result<Reply> move(Call& call, DirFd old_directory, PathPtr old_path, DirFd new_directory, PathPtr new_path,
                   unsigned flags) {
  TRY(allow_flags(flags, RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT));
  if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE)) return err(EINVAL);
  PathArgument from = TRY(call.path_at(old_directory, old_path));
  PathArgument to = TRY(second_path(call, new_directory, new_path));
  TRY(call.vfs().rename(call.caller(), from.base, from.path, to.base, to.path, flags));
  return 0;
}

}  // namespace

SyscallResult sys_mkdir(Call& call, PathPtr path, Mode mode) {
  return make_directory(call, kCwd, path, mode);
}

SyscallResult sys_mkdirat(Call& call, DirFd directory, PathPtr path, Mode mode) {
  return make_directory(call, directory, path, mode);
}

SyscallResult sys_mknod(Call& call, PathPtr path, NodeMode mode, NodeDevice device) {
  return make_node(call, kCwd, path, mode, device);
}

SyscallResult sys_mknodat(Call& call, DirFd directory, PathPtr path, NodeMode mode, NodeDevice device) {
  return make_node(call, directory, path, mode, device);
}

SyscallResult sys_link(Call& call, PathPtr old_path, PathPtr new_path) {
  return make_link(call, kCwd, old_path, kCwd, new_path, 0);
}

SyscallResult sys_linkat(Call& call, DirFd old_directory, PathPtr old_path, DirFd new_directory,
                         PathPtr new_path, AtFlags flags) {
  return make_link(call, old_directory, old_path, new_directory, new_path, flags);
}

SyscallResult sys_symlink(Call& call, StringPtr target, PathPtr path) {
  return make_symlink(call, target, kCwd, path);
}

SyscallResult sys_symlinkat(Call& call, StringPtr target, DirFd directory, PathPtr path) {
  return make_symlink(call, target, directory, path);
}

SyscallResult sys_unlink(Call& call, PathPtr path) { return remove_name(call, kCwd, path); }

SyscallResult sys_rmdir(Call& call, PathPtr path) { return remove_directory(call, kCwd, path); }

SyscallResult sys_unlinkat(Call& call, DirFd directory, PathPtr path, AtFlags flags) {
  TRY(allow_flags(flags, AT_REMOVEDIR));
  return flags & AT_REMOVEDIR ? remove_directory(call, directory, path) : remove_name(call, directory, path);
}

SyscallResult sys_rename(Call& call, PathPtr old_path, PathPtr new_path) {
  return move(call, kCwd, old_path, kCwd, new_path, 0);
}

SyscallResult sys_renameat(Call& call, DirFd old_directory, PathPtr old_path, DirFd new_directory,
                           PathPtr new_path) {
  return move(call, old_directory, old_path, new_directory, new_path, 0);
}

SyscallResult sys_renameat2(Call& call, DirFd old_directory, PathPtr old_path, DirFd new_directory,
                            PathPtr new_path, RenameFlags flags) {
  return move(call, old_directory, old_path, new_directory, new_path, flags);
}

}  // namespace sandbox
