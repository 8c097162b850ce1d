// Process descriptors (pidfd_open(2)); glibc 2.36's own header lacks the C linkage.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// Errors: ESRCH, EINVAL (a thread that leads no process), EMFILE.
inline Result<UniqueFd> open_pidfd(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return last_error();
  return UniqueFd(static_cast<int>(fd));
}

// A duplicate of that process's descriptor, close-on-exec. Errors: EBADF, EPERM, ESRCH.
inline Result<UniqueFd> copy_descriptor(const UniqueFd& process, int number) {
  long fd = syscall(SYS_pidfd_getfd, process.get(), number, 0);
  if (fd < 0) return last_error();
  return UniqueFd(static_cast<int>(fd));
}

// Errors: ESRCH.
inline Result<void> send_signal(const UniqueFd& process, int signal) {
  return host_status(syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0));
}

}  // namespace sandbox::platform
