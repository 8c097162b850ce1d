// Between looking at the flag and blocking in the kernel there is a gap in which a signal would be lost. The
// handler knows the gap by its addresses and moves a thread that is in it to the way out.
#include "platform/interruptible_wait.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>

#include <cerrno>
#include <cstdint>

extern "C" long sandbox_wait_unless(const int* flag, int* status);
extern "C" const char sandbox_wait_begin[], sandbox_wait_end[], sandbox_wait_out[];

// wait4(-1, status, __WALL, NULL). `begin` to `end` is the gap; an interrupted call returns at `end`.
asm(R"(
  .text
  .globl sandbox_wait_unless, sandbox_wait_begin, sandbox_wait_end, sandbox_wait_out
  .type sandbox_wait_unless, @function
sandbox_wait_unless:
  .cfi_startproc
  mov %rdi, %r8
  mov $-1, %rdi
  mov $0x40000000, %edx
  xor %r10d, %r10d
sandbox_wait_begin:
  cmpl $0, (%r8)
  jne sandbox_wait_out
  mov $61, %eax
  syscall
sandbox_wait_end:
  ret
sandbox_wait_out:
  mov $-4, %rax
  ret
  .cfi_endproc
  .size sandbox_wait_unless, . - sandbox_wait_unless
)");

namespace sandbox::platform {

namespace {

static_assert(__WALL == 0x40000000 && EINTR == 4, "the code above says so");
static_assert(sizeof(std::atomic<int>) == sizeof(int) && std::atomic<int>::is_always_lock_free);

void leave_gap(int, siginfo_t*, void* context) {
  auto& place = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  if (place >= reinterpret_cast<greg_t>(sandbox_wait_begin) &&
      place < reinterpret_cast<greg_t>(sandbox_wait_end)) {
    place = reinterpret_cast<greg_t>(sandbox_wait_out);
  }
}

}  // namespace

void prepare_interruptible_wait(int signal) {
  struct sigaction action{};
  action.sa_sigaction = leave_gap;
  action.sa_flags = SA_SIGINFO;
  sigaction(signal, &action, nullptr);
  // The wait tells of stops; a SIGCHLD for each besides is for nobody.
  struct sigaction of_children{};
  sigaction(SIGCHLD, nullptr, &of_children);
  of_children.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &of_children, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

pid_t wait_for_any(int* status, const std::atomic<int>& is_interrupted) {
  long result = sandbox_wait_unless(reinterpret_cast<const int*>(&is_interrupted), status);
  if (result >= 0) return static_cast<pid_t>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace sandbox::platform
