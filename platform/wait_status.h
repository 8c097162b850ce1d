// WaitStatus: what waitpid said of a tracee, as one of the things that can happen to it.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace sandbox::platform {

class WaitStatus {
 public:
  enum class Kind {
    kGone,            // exited or killed: no such thread any more
    kSeccomp,         // a filter said RET_TRACE; the call has not run
    kSyscallStop,     // PTRACE_SYSCALL's stop
    kBirth,           // fork, vfork or clone made a tracee; seen at the parent
    kGroupStop,       // the whole process was stopped by a signal (job control)
    kTrap,            // a new tracee's first stop, or the end of a group stop
    kSignalDelivery,  // a signal is about to be delivered
    kExiting,         // about to exit, its registers and memory still there (PTRACE_O_TRACEEXIT)
    kUnknown,
  };

  explicit WaitStatus(int raw) : raw_(raw) {}

  int raw() const { return raw_; }
  int signal() const { return WSTOPSIG(raw_); }

  Kind kind() const {
    if (WIFEXITED(raw_) || WIFSIGNALED(raw_)) return Kind::kGone;
    if (!WIFSTOPPED(raw_)) return Kind::kUnknown;
    switch (raw_ >> 16) {
      case 0:
        return signal() == (SIGTRAP | 0x80) ? Kind::kSyscallStop : Kind::kSignalDelivery;
      case PTRACE_EVENT_SECCOMP:
        return Kind::kSeccomp;
      case PTRACE_EVENT_FORK:
      case PTRACE_EVENT_VFORK:
      case PTRACE_EVENT_CLONE:
        return Kind::kBirth;
      case PTRACE_EVENT_EXIT:
        return Kind::kExiting;
      case PTRACE_EVENT_STOP:
        return signal() == SIGTRAP ? Kind::kTrap : Kind::kGroupStop;
      default:
        return Kind::kUnknown;
    }
  }

 private:
  int raw_;
};

}  // namespace sandbox::platform
