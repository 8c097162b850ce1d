// InterceptedCall: one system call of a workload thread that waits for the sentry's answer.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sandbox/guest_memory.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

struct SyscallEvent {
  pid_t host_tid;                // the calling thread, as the sentry's PID namespace numbers it
  uint32_t number;               // x86-64 system call number
  std::array<uint64_t, 6> args;  // rdi rsi rdx r10 r8 r9
  uint64_t instruction_pointer;
};

enum class CloseOnExec { kNo, kYes };

struct Intervention;

// Answered exactly once, by reply, reply_with_fd or run_natively. While it waits, the thread runs no
// user code; only SIGKILL ends the wait, and then every answer is silently dropped.
class InterceptedCall {
 public:
  virtual ~InterceptedCall() = default;

  const SyscallEvent& event() const { return event_; }
  virtual GuestMemory& memory() = 0;
  // All registers; null where the engine does not know them.
  virtual const user_regs_struct* registers() const { return nullptr; }

  // Whether the thread still waits for this answer: check it after opening anything by the thread's
  // pid, which the kernel may have given to another thread (SECCOMP_IOCTL_NOTIF_ID_VALID).
  virtual bool is_waiting() = 0;

  // `value` as the kernel returns it: a result, or a negated errno. -ERESTARTSYS (-512) is allowed
  // when a signal is pending: the call is then restarted or becomes EINTR as the handler's SA_RESTART says.
  virtual void reply(int64_t value) = 0;
  // The kernel runs the call itself, reading its arguments from the thread's registers and memory again.
  // Safe only where the caller's comment says why whatever is read then is harmless.
  virtual void run_natively() = 0;
  // The same with other arguments (AlteredCall), where the engine can give it any.
  virtual void run_altered(const Intervention& wanted) {
    (void)wanted;
    run_natively();
  }
  // Installs a duplicate of `fd` at the lowest free number of the thread's table; the call still waits.
  // Errors: EMFILE (RLIMIT_NOFILE of the thread), ESRCH.
  virtual Result<int> install(int fd, CloseOnExec close_on_exec) = 0;
  // install of several at once, numbers in the same order. On the ptrace engine a call can install only once.
  virtual Result<std::vector<int>> install_all(std::span<const int> fds, CloseOnExec close_on_exec);
  // install, and answer with the number (or with -EMFILE), in one step where the kernel can.
  virtual void reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) = 0;

  // Takes the call off the engine's thread: the result may be answered later from any thread.
  // Afterwards this object is spent. What it returns must be gone before the Platform is.
  virtual std::unique_ptr<InterceptedCall> park() = 0;

 protected:
  SyscallEvent event_{};
};

}  // namespace sandbox::platform
