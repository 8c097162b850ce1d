// flock(2) and fcntl(2)'s locks of open file descriptions: made by the sentry on the description it shares.
#include <sys/file.h>
#include <time.h>

#include "sentry/calls/handlers.h"
#include "sentry/parked_calls.h"

namespace sandbox {

namespace {

constexpr timespec kLookAgain{0, 10'000'000};

// Both kinds belong to the open file description and not to who asked, so that a duplicate in the sentry does
// what the caller's own descriptor would, and no other thread can put another file in its place meanwhile.

SyscallResult lock_read_only(Call& call, UniqueFd file, int operation) {
  if (TRY(host_result(::fcntl(file.get(), F_GETFL))) & O_PATH) return err(EBADF);
  Sentry& sentry = call.sentry();
  auto locked = sentry.read_only_locks().lock(file.get(), operation, sentry.host_proc());
  if (locked) return 0;
  bool waits = locked.error() == Errno(EWOULDBLOCK) && !(operation & LOCK_NB);
  if (!waits) return std::unexpected(locked.error());
  auto shared = std::make_shared<UniqueFd>(std::move(file));
  return sentry.parked_calls().run(call, [&sentry, shared, operation]() -> SyscallResult {
    for (;;) {
      auto tried = sentry.read_only_locks().lock(shared->get(), operation, sentry.host_proc());
      if (tried) return 0;
      if (tried.error() != Errno(EWOULDBLOCK)) return std::unexpected(tried.error());
      TRY(host_status(::nanosleep(&kLookAgain, nullptr)));
    }
  });
}

// On a read-only mount nobody inside can have a conflicting lock, as that takes a descriptor open for
// writing: nothing need be locked, least of all for the host to wait for.
SyscallResult lock_read_only_region(Call& call, int file, int command, GuestPtr<struct flock> pointer,
                                    struct flock lock) {
  if (command != F_OFD_GETLK && lock.l_type == F_UNLCK) {
    TRY(host_status(::fcntl(file, F_OFD_SETLK, &lock)));
    return 0;
  }
  struct flock asked = lock;
  TRY(host_status(::fcntl(file, F_OFD_GETLK, &asked)));  // judges the region
  if (command != F_OFD_GETLK) return lock.l_type == F_RDLCK ? SyscallResult(0) : err(EBADF);
  lock.l_type = F_UNLCK;
  TRY(call.memory().write(pointer, lock));
  return 0;
}

}  // namespace

SyscallResult sys_flock(Call& call, Fd fd, FlockOperation operation) {
  UniqueFd file = TRY(call.descriptor(fd));
  if (ReadOnlyLocks::is_about(file.get())) return lock_read_only(call, std::move(file), operation);
  if (::flock(file.get(), operation | LOCK_NB) == 0) return 0;
  if (errno != EWOULDBLOCK || (operation & LOCK_NB)) return last_error();
  auto shared = std::make_shared<UniqueFd>(std::move(file));
  return call.sentry().parked_calls().run(call, [shared, operation]() -> SyscallResult {
    TRY(host_status(::flock(shared->get(), operation)));
    return 0;
  });
}

// Only F_OFD_GETLK, F_OFD_SETLK and F_OFD_SETLKW come here.
SyscallResult sys_fcntl(Call& call, Fd fd, FcntlCommand command, FcntlArgument argument) {
  UniqueFd file = TRY(call.descriptor(fd));
  GuestPtr<struct flock> pointer{static_cast<uint64_t>(argument)};
  struct flock lock = TRY(call.memory().read(pointer));
  if (ReadOnlyLocks::is_about(file.get()))
    return lock_read_only_region(call, file.get(), static_cast<int>(command), pointer, lock);
  if (command == F_OFD_GETLK) {
    TRY(host_status(::fcntl(file.get(), F_OFD_GETLK, &lock)));
    TRY(call.memory().write(pointer, lock));
    return 0;
  }
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) return 0;
  if (command == F_OFD_SETLK || (errno != EAGAIN && errno != EACCES)) return last_error();
  auto shared = std::make_shared<UniqueFd>(std::move(file));
  return call.sentry().parked_calls().run(call, [shared, lock]() mutable -> SyscallResult {
    TRY(host_status(::fcntl(shared->get(), F_OFD_SETLKW, &lock)));
    return 0;
  });
}

}  // namespace sandbox
