// lseek(2) to the start and pread(2), preadv(2) from it: where reading starts at 0, a generated file gets
// fresh content.
#include <fcntl.h>

#include <algorithm>
#include <span>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

Result<void> refill(Call& call, Fd fd) {
  UniqueFd file = TRY(call.descriptor(fd));
  TRY(call.vfs().refill(call.caller(), file.get()));
  return {};
}

// O_PATH descriptors, too, say O_RDONLY.
Result<bool> is_readable(int host_fd) {
  int flags = TRY(host_result(::fcntl(host_fd, F_GETFL)));
  return !(flags & O_PATH) && (flags & O_ACCMODE) != O_WRONLY;
}

}  // namespace

// The kernel reads only registers again, and the descriptor is the caller's own whatever it is by then.

SyscallResult sys_lseek(Call& call, Fd fd, Offset, Whence) {
  // Where there is nothing to say any more (the process is gone), the read that follows tells.
  (void)refill(call, fd);
  return Reply::run_natively();
}

SyscallResult sys_pread64(Call& call, Fd fd, OutBytes buffer, Size size, Offset) {
  UniqueFd file = TRY(call.descriptor(fd));
  auto content = TRY(call.vfs().refill(call.caller(), file.get()));
  if (!content || !TRY(is_readable(file.get()))) return Reply::run_natively();
  // Handed over from here, the text is of one moment even while another thread's read refills the file.
  auto given = std::as_bytes(std::span(*content)).first(std::min<uint64_t>(size, content->size()));
  // A buffer that is too short for what it promises: the kernel says how far it got.
  if (!call.memory().write_bytes(buffer.address, given)) return Reply::run_natively();
  return static_cast<int64_t>(given.size());
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
