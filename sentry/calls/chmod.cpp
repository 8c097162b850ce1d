// chmod(2), chown(2) and their kin: mode and owner by path or through a descriptor.
#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

Result<Reply> change_mode(Call& call, Result<PathArgument> where, mode_t mode) {
  PathArgument path = TRY(std::move(where));
  TRY(call.vfs().chmod(call.caller(), path.base, path.path, mode & 07777, path.options));
  return 0;
}

Result<Reply> change_owner(Call& call, Result<PathArgument> where, uid_t owner, gid_t group) {
  PathArgument path = TRY(std::move(where));
  TRY(call.vfs().chown(call.caller(), path.base, path.path, owner, group, path.options));
  return 0;
}

}  // namespace

SyscallResult sys_chmod(Call& call, PathPtr path, Mode mode) {
  return change_mode(call, call.path_at(kCwd, path), mode);
}

SyscallResult sys_fchmodat(Call& call, DirFd directory, PathPtr path, Mode mode) {
  return change_mode(call, call.path_at(directory, path), mode);
}

SyscallResult sys_fchmodat2(Call& call, DirFd directory, PathPtr path, Mode mode, AtFlags flags) {
  TRY(allow_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  return change_mode(call, call.path_at(directory, path, flags), mode);
}

SyscallResult sys_fchmod(Call& call, Fd fd, Mode mode) {
  return change_mode(call, call.open_object_path(fd), mode);
}

SyscallResult sys_chown(Call& call, PathPtr path, Uid owner, Gid group) {
  return change_owner(call, call.path_at(kCwd, path), owner, group);
}

SyscallResult sys_lchown(Call& call, PathPtr path, Uid owner, Gid group) {
  return change_owner(call, call.path_at(kCwd, path, AT_SYMLINK_NOFOLLOW), owner, group);
}

SyscallResult sys_fchownat(Call& call, DirFd directory, PathPtr path, Uid owner, Gid group, AtFlags flags) {
  TRY(allow_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  return change_owner(call, call.path_at(directory, path, flags), owner, group);
}

SyscallResult sys_fchown(Call& call, Fd fd, Uid owner, Gid group) {
  return change_owner(call, call.open_object_path(fd), owner, group);
}

}  // namespace sandbox
