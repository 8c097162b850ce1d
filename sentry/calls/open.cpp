// open(2), openat2(2), creat(2).
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <climits>
#include <cstring>

#include "sentry/calls/handlers.h"
#include "sentry/parked_calls.h"

namespace sandbox {

namespace {

constexpr int kPathFlags = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
constexpr size_t kFirstHowSize = 24;  // of struct open_how, Linux 5.6
constexpr int kLargeFile = 0100000;   // glibc defines O_LARGEFILE as 0 on x86-64
constexpr int kValidFlags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |
                            O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | kLargeFile | O_DIRECTORY | O_NOFOLLOW |
                            O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE;
constexpr uint64_t kValidResolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                                   RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;

bool creates(uint64_t flags) { return (flags & O_CREAT) || (flags & O_TMPFILE & ~O_DIRECTORY); }

// build_open_flags (fs/open.c), for flags whose unknown bits are gone. Errors: EINVAL.
Result<void> check_open_flags(uint64_t flags) {
  if ((flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) return err(EINVAL);
  if (flags & O_TMPFILE & ~O_DIRECTORY) {
    if ((flags & O_TMPFILE) != O_TMPFILE) return err(EINVAL);
    if ((flags & O_ACCMODE) == O_RDONLY) return err(EINVAL);
  }
  return {};
}

// A FIFO: the wait for its other end is spent on a thread of its own.
SyscallResult open_waiting(Call& call, UniqueFd path_only, int blocking_flags, CloseOnExec close_on_exec) {
  // std::function wants a copyable callable.
  auto object = std::make_shared<UniqueFd>(std::move(path_only));
  return call.sentry().parked_calls().run(call, [object, blocking_flags, close_on_exec]() -> SyscallResult {
    std::string link = "/proc/self/fd/" + std::to_string(object->get());
    UniqueFd opened(TRY(host_result(::open(link.c_str(), blocking_flags | O_CLOEXEC | O_NOCTTY))));
    return Reply::descriptor(std::move(opened), close_on_exec, Reply::CloseOwn::kBeforeReturn);
  });
}

// Whoever closes the last descriptor for writing, or of a FIFO (which nobody opens non-blocking by chance),
// may at once exec the file or see the other end's EOF.
Reply::CloseOwn close_own_of(int flags) {
  bool is_path_or_directory = flags & (O_PATH | O_DIRECTORY);
  bool tells = (flags & O_ACCMODE) != O_RDONLY || (flags & O_NONBLOCK);
  return tells && !is_path_or_directory ? Reply::CloseOwn::kBeforeReturn : Reply::CloseOwn::kSoon;
}

// Linux takes the number before it walks. Errors: EMFILE.
Result<void> check_free_descriptor(Call& call) {
  rlimit limit;
  TRY(host_status(::prlimit(call.event().host_tid, RLIMIT_NOFILE, nullptr, &limit)));
  if (limit.rlim_cur == 0) return err(EMFILE);
  // A table is full only if its last place is taken, and that is cheaper to ask.
  if (limit.rlim_cur <= INT_MAX && !call.descriptor(Fd{{static_cast<int>(limit.rlim_cur) - 1}})) return {};
  std::string path = std::to_string(call.event().host_tid) + "/fd";
  struct stat table;
  // The size is the number of open descriptors since Linux 6.2, 0 before.
  if (::fstatat(call.sentry().host_proc(), path.c_str(), &table, 0) < 0) return err(ESRCH);
  if (static_cast<rlim_t>(table.st_size) >= limit.rlim_cur) return err(EMFILE);
  return {};
}

SyscallResult open_at(Call& call, DirFd directory, PathPtr path_pointer, const vfs::OpenRequest& request) {
  TRY(check_open_flags(request.flags));  // before the path is read, as in Linux
  std::string path = TRY(call.read_path(path_pointer));
  if (path.empty()) return err(ENOENT);
  // path_init (fs/namei.c): before the descriptor is looked at.
  if ((request.resolve & RESOLVE_BENEATH) && path.starts_with('/')) return err(EXDEV);
  // With this an absolute path starts at the descriptor, too.
  bool is_scoped = request.resolve & RESOLVE_IN_ROOT;
  vfs::Location base = TRY(call.base(directory, is_scoped ? std::string_view() : path));
  bool has_side_effect = creates(request.flags) || (request.flags & O_TRUNC);
  if (has_side_effect) TRY(check_free_descriptor(call));
  Result<vfs::OpenedFile> result = call.vfs().open(call.caller(), base, path, request);
  // Without a side effect the order of the two errors is all that the check is for.
  if (!result && !has_side_effect) TRY(check_free_descriptor(call));
  vfs::OpenedFile opened = TRY(std::move(result));
  CloseOnExec close_on_exec = close_on_exec_of(request.flags);
  if (opened.blocking_flags)
    return open_waiting(call, std::move(opened.fd), *opened.blocking_flags, close_on_exec);
  return Reply::descriptor(std::move(opened.fd), close_on_exec, close_own_of(request.flags));
}

// open and openat ignore bits they do not know.
SyscallResult open_legacy(Call& call, DirFd directory, PathPtr path, int flags, mode_t mode) {
  flags &= kValidFlags;
  if (flags & O_PATH) flags &= kPathFlags;
  vfs::OpenRequest request{.flags = flags};
  if (creates(flags)) request.mode = mode & 07777;
  return open_at(call, directory, path, request);
}

// Bytes past what this kernel knows must be zero (copy_struct_from_user). Errors: EINVAL, E2BIG, EFAULT.
Result<open_how> read_how(Call& call, In<open_how> pointer, uint64_t size) {
  if (size < kFirstHowSize) return err(EINVAL);
  if (size > 4096) return err(E2BIG);
  auto bytes = TRY(call.memory().read_array(pointer.cast<const std::byte>(), size));
  for (size_t i = sizeof(open_how); i < bytes.size(); ++i)
    if (bytes[i] != std::byte{0}) return err(E2BIG);
  open_how how;
  std::memcpy(&how, bytes.data(), sizeof how);
  return how;
}

}  // namespace

SyscallResult sys_open(Call& call, PathPtr path, OpenFlags flags, CreationMode mode) {
  return open_legacy(call, kCwd, path, flags, mode);
}

SyscallResult sys_openat(Call& call, DirFd directory, PathPtr path, OpenFlags flags, CreationMode mode) {
  return open_legacy(call, directory, path, flags, mode);
}

SyscallResult sys_creat(Call& call, PathPtr path, Mode mode) {
  return open_legacy(call, kCwd, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SyscallResult sys_openat2(Call& call, DirFd directory, PathPtr path, OpenHowPtr pointer, Size size) {
  open_how how = TRY(read_how(call, pointer, size));
  if (how.flags & ~static_cast<uint64_t>(kValidFlags)) return err(EINVAL);
  if (how.resolve & ~kValidResolve) return err(EINVAL);
  if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT)) return err(EINVAL);
  if (creates(how.flags) ? how.mode & ~07777ull : how.mode != 0) return err(EINVAL);
  if ((how.flags & O_PATH) && (how.flags & ~static_cast<uint64_t>(kPathFlags))) return err(EINVAL);
  if ((how.resolve & RESOLVE_CACHED) && (creates(how.flags) || (how.flags & O_TRUNC))) return err(EAGAIN);
  vfs::OpenRequest request{.flags = static_cast<int>(how.flags),
                           .mode = static_cast<mode_t>(how.mode),
                           .resolve = how.resolve & ~static_cast<uint64_t>(RESOLVE_CACHED)};
  return open_at(call, directory, path, request);
}

}  // namespace sandbox
