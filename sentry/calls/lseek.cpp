// lseek(2) to the start and pread(2), preadv(2) from it: where reading starts at 0, a generated file gets
// fresh content.
#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

Result<void> refill(Call& call, Fd fd) {
  UniqueFd file = TRY(call.descriptor(fd));
  TRY(call.vfs().refill(call.caller(), file.get()));
  return {};
}

}  // namespace

// The kernel reads only registers again, and the descriptor is the caller's own whatever it is by then.

SyscallResult sys_lseek(Call& call, Fd fd, Offset, Whence) {
  // Where there is nothing to say any more (the process is gone), the read that follows tells.
  (void)refill(call, fd);
  return Reply::run_natively();
}

SyscallResult sys_pread64(Call& call, Fd fd, OutBytes, Size, Offset) {
  TRY(refill(call, fd));
  return Reply::run_natively();
}

// The vector, which the kernel reads from memory, says where in the caller's memory the bytes go.

SyscallResult sys_preadv(Call& call, Fd fd, OutVector, Size, Offset, UnusedHalf) {
  TRY(refill(call, fd));
  return Reply::run_natively();
}

SyscallResult sys_preadv2(Call& call, Fd fd, OutVector, Size, Offset, UnusedHalf, ReadWriteFlags) {
  TRY(refill(call, fd));
  return Reply::run_natively();
}

}  // namespace sandbox
