// utimensat(2) and its elders, truncate(2).
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include <csignal>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// Nothing: both times become now.
using Times = std::optional<std::pair<timespec, timespec>>;

bool is_valid(const timespec& time) {
  return time.tv_nsec == UTIME_NOW || time.tv_nsec == UTIME_OMIT ||
         (time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000);
}

// Nanoseconds are looked at when the file is found (vfs_utimes): its errors come first. Errors: EINVAL.
Result<void> check_nanoseconds(Call& call, const PathArgument& where, const Times& times) {
  if (!times || (is_valid(times->first) && is_valid(times->second))) return {};
  TRY(call.vfs().stat(call.caller(), where.base, where.path, where.options));
  return err(EINVAL);
}

Result<Reply> set_times(Call& call, DirFd directory, PathPtr path, const Times& times, int flags) {
  TRY(allow_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  PathArgument where = TRY(call.path_at(directory, path, flags));
  TRY(check_nanoseconds(call, where, times));
  TRY(call.vfs().set_times(call.caller(), where.base, where.path, times, where.options));
  return 0;
}

Result<Reply> set_times_of(Call& call, Fd fd, const Times& times) {
  PathArgument where = TRY(call.open_object_path(fd));
  TRY(check_nanoseconds(call, where, times));
  TRY(call.vfs().set_times(call.caller(), where.base, where.path, times, where.options));
  return 0;
}

Result<Times> read_timevals(Call& call, InPair<timeval> pointer) {
  if (pointer.is_null()) return Times();
  auto values = TRY(call.memory().read_array(pointer, 2));
  for (const timeval& value : values)
    if (value.tv_usec < 0 || value.tv_usec >= 1'000'000) return err(EINVAL);
  auto convert = [](const timeval& value) { return timespec{value.tv_sec, value.tv_usec * 1000}; };
  return Times(std::pair(convert(values[0]), convert(values[1])));
}

// inode_newsize_ok (fs/attr.c): growing past the task's limit sends SIGXFSZ. Errors: EFBIG.
Result<void> check_file_size_limit(Call& call, const PathArgument& where, uint64_t size) {
  rlimit limit;
  TRY(host_status(::prlimit(call.event().host_tid, RLIMIT_FSIZE, nullptr, &limit)));
  if (size <= limit.rlim_cur) return {};
  vfs::Attributes present = TRY(call.vfs().stat(call.caller(), where.base, where.path, where.options));
  if (size <= present.stx_size) return {};
  ::syscall(SYS_tgkill, call.task().host_tgid(), call.event().host_tid, SIGXFSZ);
  return err(EFBIG);
}

}  // namespace

SyscallResult sys_utimensat(Call& call, DirFd directory, PathPtr path, FileTimesPtr pointer, AtFlags flags) {
  Times times;
  if (!pointer.is_null()) {
    auto values = TRY(call.memory().read_array(pointer, 2));
    if (values[0].tv_nsec == UTIME_OMIT && values[1].tv_nsec == UTIME_OMIT) return 0;
    times.emplace(values[0], values[1]);
  }
  if (path.is_null() && directory != AT_FDCWD) {
    if (flags) return err(EINVAL);
    return set_times_of(call, Fd{{directory}}, times);
  }
  return set_times(call, directory, path, times, flags);
}

SyscallResult sys_utimes(Call& call, PathPtr path, InPair<timeval> pointer) {
  return set_times(call, kCwd, path, TRY(read_timevals(call, pointer)), 0);
}

SyscallResult sys_futimesat(Call& call, DirFd directory, PathPtr path, InPair<timeval> pointer) {
  Times times = TRY(read_timevals(call, pointer));
  if (path.is_null() && directory != AT_FDCWD) return set_times_of(call, Fd{{directory}}, times);
  return set_times(call, directory, path, times, 0);
}

SyscallResult sys_utime(Call& call, PathPtr path, In<utimbuf> pointer) {
  Times times;
  if (!pointer.is_null()) {
    utimbuf values = TRY(call.memory().read(pointer));
    times.emplace(timespec{values.actime, 0}, timespec{values.modtime, 0});
  }
  return set_times(call, kCwd, path, times, 0);
}

SyscallResult sys_truncate(Call& call, PathPtr path, Offset length) {
  if (length < 0) return err(EINVAL);
  PathArgument where = TRY(call.path_at(kCwd, path));
  TRY(check_file_size_limit(call, where, length));
  TRY(call.vfs().truncate(call.caller(), where.base, where.path, length));
  return 0;
}

}  // namespace sandbox
