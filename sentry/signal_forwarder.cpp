// The thread that waits for the sentry's signals.
#include "sentry/signal_forwarder.h"

#include <pthread.h>

#include <algorithm>

namespace sandbox {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kGraceAfterTerm = std::chrono::seconds(2);
// Wakes the thread so that it sees that it shall end.
constexpr int kWakeSignal = SIGURG;

bool is_to_be_forwarded(const siginfo_t& info) {
  bool is_from_terminal = info.si_code == SI_KERNEL;
  return !((info.si_signo == SIGINT || info.si_signo == SIGQUIT) && is_from_terminal);
}

timespec until(Clock::time_point deadline) {
  auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
}

}  // namespace

SignalForwarder::SignalForwarder() {
  sigemptyset(&signals_);
  for (int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, kWakeSignal})
    sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

SignalForwarder::~SignalForwarder() {
  if (!thread_.joinable()) return;
  is_ending_ = true;
  ::pthread_kill(thread_.native_handle(), kWakeSignal);
  thread_.join();
}

void SignalForwarder::start(platform::Platform& platform, std::optional<std::chrono::milliseconds> timeout) {
  thread_ = std::thread([this, &platform, timeout] { serve(platform, timeout); });
}

void SignalForwarder::serve(platform::Platform& platform, std::optional<std::chrono::milliseconds> timeout) {
  std::optional<Clock::time_point> deadline;
  if (timeout) deadline = Clock::now() + *timeout;
  while (!is_ending_) {
    siginfo_t info{};
    int signal;
    if (deadline) {
      timespec left = until(*deadline);
      signal = ::sigtimedwait(&signals_, &info, &left);
    } else {
      signal = ::sigwaitinfo(&signals_, &info);
    }
    if (signal < 0) {
      if (errno != EAGAIN || !deadline) continue;
      if (!has_timed_out_) {
        has_timed_out_ = true;
        platform.signal_first_task(SIGTERM);
        deadline = Clock::now() + kGraceAfterTerm;
      } else {
        platform.kill_all();
        deadline.reset();
      }
      continue;
    }
    if (signal != kWakeSignal && is_to_be_forwarded(info)) platform.signal_first_task(signal);
  }
}

}  // namespace sandbox
