// inotify_add_watch(2).
#include <sys/inotify.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// The checks of the mask and the descriptor come before the path's: an empty path lets the kernel make just
// those.
Result<void> check_arguments(int inotify, uint32_t mask) {
  if (::inotify_add_watch(inotify, "", mask) >= 0 || errno == ENOENT) return {};
  return last_error();
}

}  // namespace

SyscallResult sys_inotify_add_watch(Call& call, Fd fd, PathPtr pathname, InotifyMask mask) {
  UniqueFd inotify = TRY(call.descriptor(fd));
  TRY(check_arguments(inotify.get(), mask));
  PathArgument where = TRY(call.path_at(kCwd, pathname, mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0));
  UniqueFd object = TRY(call.vfs().watchable(call.caller(), where.base, where.path, where.options));
  // The link to the object has to be followed even where the caller's own was not.
  uint32_t followed = mask & ~static_cast<uint32_t>(IN_DONT_FOLLOW);
  std::string link = "/proc/self/fd/" + std::to_string(object.get());
  return TRY(host_result(::inotify_add_watch(inotify.get(), link.c_str(), followed)));
}

}  // namespace sandbox
