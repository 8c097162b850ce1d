// ioctl(2) and file_getattr(2) where they are about a file's attributes (ioctl_iflags(2)).
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

// struct file_attr of Linux 6.17.
struct FileAttributes {
  uint64_t xflags;
  uint32_t extent_size, extent_count, project, copy_extent_size;
};

namespace {

// Changing any other needs CAP_LINUX_IMMUTABLE on the host.
constexpr int kChangeableFlags = FS_SECRM_FL | FS_UNRM_FL | FS_COMPR_FL | FS_NOCOMP_FL | FS_SYNC_FL |
                                 FS_DIRSYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_NOCOW_FL | FS_NOTAIL_FL |
                                 FS_TOPDIR_FL;

// The real file behind a descriptor of the caller's. Errors: EBADF; ENOTTY for what is none: directories
// stand for many, generated files for nobody's.
Result<UniqueFd> real_file(Call& call, Fd fd) {
  UniqueFd file = TRY(call.descriptor(fd));
  if (TRY(host_result(::fcntl(file.get(), F_GETFL))) & O_PATH) return err(EBADF);
  struct stat status;
  TRY(host_status(::fstat(file.get(), &status)));
  if (!S_ISREG(status.st_mode) || call.vfs().location_of_private(file.get())) return err(ENOTTY);
  return file;
}

// Errors: ENOTTY for a file that has no name here, EROFS, EPERM (not the owner).
Result<void> check_may_change(Call& call, Fd fd) {
  vfs::Location where = TRY(call.object(fd));
  if (!where.dentry->parent() && where.dentry != where.mount->root) return err(ENOTTY);
  if (where.mount->flags.is_read_only) return err(EROFS);
  vfs::WalkOptions itself{.empty_path = vfs::WalkOptions::EmptyPath::kAllowed};
  vfs::Attributes attributes = TRY(call.vfs().stat(call.caller(), where, "", itself));
  bool is_owner = call.credentials().fsuid == attributes.stx_uid;
  if (!is_owner && !call.credentials().has_capability(CAP_FOWNER)) return err(EPERM);
  return {};
}

SyscallResult get_flags(Call& call, Fd fd, GuestPtr<int> result) {
  UniqueFd file = TRY(real_file(call, fd));
  int flags = 0;
  TRY(host_status(::ioctl(file.get(), FS_IOC_GETFLAGS, &flags)));
  TRY(call.memory().write(result, flags));
  return 0;
}

SyscallResult set_flags(Call& call, Fd fd, GuestPtr<const int> argument) {
  UniqueFd file = TRY(real_file(call, fd));
  int wanted = TRY(call.memory().read(argument));
  TRY(check_may_change(call, fd));
  int present = 0;
  TRY(host_status(::ioctl(file.get(), FS_IOC_GETFLAGS, &present)));
  if ((wanted ^ present) & ~kChangeableFlags) return err(EPERM);
  TRY(host_status(::ioctl(file.get(), FS_IOC_SETFLAGS, &wanted)));
  return 0;
}

SyscallResult get_extended(Call& call, Fd fd, GuestPtr<fsxattr> result) {
  UniqueFd file = TRY(real_file(call, fd));
  fsxattr attributes{};
  TRY(host_status(::ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes)));
  TRY(call.memory().write(result, attributes));
  return 0;
}

// The calls that name the file by path: no file system here has them. Errors: EINVAL, E2BIG, the path's.
SyscallResult refuse_by_path(Call& call, DirFd directory, PathPtr path, uint64_t size, int at_flags) {
  TRY(allow_flags(static_cast<unsigned>(at_flags), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  if (size > 4096) return err(E2BIG);
  if (size < sizeof(FileAttributes)) return err(EINVAL);
  PathArgument where = TRY(call.path_at(directory, path, at_flags));
  TRY(call.vfs().walk(call.caller(), where.base, where.path, where.options));
  return err(EOPNOTSUPP);
}

}  // namespace

SyscallResult sys_ioctl(Call& call, Fd fd, IoctlRequest request, IoctlArgument argument) {
  switch (request) {
    case FS_IOC_GETFLAGS:
      return get_flags(call, fd, argument.cast<int>());
    case FS_IOC_SETFLAGS:
      return set_flags(call, fd, argument.cast<const int>());
    case FS_IOC_FSGETXATTR:
      return get_extended(call, fd, argument.cast<fsxattr>());
  }
  TRY(call.descriptor(fd));
  // Where the bytes of a file lie on the host's disk, its encryption and its projects are the host's.
  return err(request == FS_IOC_FIEMAP || request == FS_IOC_FSSETXATTR ? EOPNOTSUPP : ENOTTY);
}

SyscallResult sys_file_getattr(Call& call, DirFd directory, PathPtr path, Out<FileAttributes>, Size size,
                               AtFlags at_flags) {
  return refuse_by_path(call, directory, path, size, at_flags);
}

SyscallResult sys_file_setattr(Call& call, DirFd directory, PathPtr path, In<FileAttributes>, Size size,
                               AtFlags at_flags) {
  return refuse_by_path(call, directory, path, size, at_flags);
}

}  // namespace sandbox
