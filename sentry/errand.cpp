// The errand's process: made with clone(CLONE_VM), it runs nothing but bare system calls.
#include "sentry/errand.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <memory>

#include "sandbox/unique_fd.h"
#include "sentry/parked_calls.h"

namespace sandbox {

namespace {

constexpr size_t kStackSize = 16 * 1024;

// What the two processes share.
struct Shared {
  const std::vector<Errand::Step>& steps;
  uint64_t blocked_signals;
  std::atomic<uint32_t> may_start;
  Errand::Outcome outcome{};
};

// libc's wrapper would write the errno of the thread whose TLS this process borrows.
long bare_syscall(long number, const std::array<uint64_t, 6>& args) {
  long result = number;
  register uint64_t r10 asm("r10") = args[3];
  register uint64_t r8 asm("r8") = args[4];
  register uint64_t r9 asm("r9") = args[5];
  asm volatile("syscall"
               : "+a"(result)
               : "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

int make_steps(void* argument) {
  Shared& shared = *static_cast<Shared*>(argument);
  bare_syscall(SYS_rt_sigprocmask, {SIG_SETMASK, reinterpret_cast<uint64_t>(&shared.blocked_signals), 0, 8});
  while (shared.may_start.load(std::memory_order_acquire) == 0)
    bare_syscall(SYS_futex, {reinterpret_cast<uint64_t>(&shared.may_start), FUTEX_WAIT, 0});
  Errand::Outcome& outcome = shared.outcome;
  for (const Errand::Step& step : shared.steps) {
    outcome.result = bare_syscall(step.number, step.args);
    if (outcome.result < 0 && outcome.result > -4096 && step.on_failure == Errand::OnFailure::kStop) return 1;
    ++outcome.failed_step;
  }
  return 0;
}

// The tracer waits for every child and may have seen this one's end first: then there is none to wait for.
void wait_for_end(int pidfd) {
  siginfo_t info;
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | __WALL) < 0 && errno == EINTR)
    ::syscall(SYS_pidfd_send_signal, pidfd, ParkedCalls::interrupt_signal(), nullptr, 0);
}

}  // namespace

Result<Errand::Outcome> Errand::run(Waits waits, const std::function<void(pid_t)>* at_birth) const {
  auto stack = std::make_unique<std::byte[]>(kStackSize);
  bool is_brief = waits == Waits::kBrief;
  uint64_t interrupt = uint64_t{1} << (ParkedCalls::interrupt_signal() - 1);
  Shared shared{steps_, is_brief ? ~uint64_t{0} : ~interrupt, is_brief};
  // Without CLONE_SIGHAND the handlers are copies; with every signal blocked from the start none of them
  // can run twice for a signal sent to the whole process group.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  int flags = CLONE_VM | CLONE_FILES | CLONE_PIDFD;
  if (is_brief) flags |= CLONE_VFORK;
  if (mounts_ == Mounts::kPrivate) flags |= CLONE_NEWNS;
  int raw_pidfd = -1;
  int pid = ::clone(make_steps, stack.get() + kStackSize, flags, &shared, &raw_pidfd);
  Errno error = Errno::last();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return std::unexpected(error);
  UniqueFd pidfd(raw_pidfd);
  if (at_birth) {
    (*at_birth)(pid);
    shared.may_start.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &shared.may_start, FUTEX_WAKE, 1);
  }
  wait_for_end(pidfd.get());
  shared.outcome.pid = pid;
  return shared.outcome;
}

}  // namespace sandbox
