// SignalForwarder: passes the sentry's own signals on to the workload, and ends it when its time is up.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "platform/platform.h"

namespace sandbox {

// SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 reach the first process; SIGINT and SIGQUIT only when a process
// sent them, because a terminal sends them to the workload by itself. SIGTSTP and SIGCONT keep their default:
// a terminal stops and continues the sentry together with the workload, so that the shell outside sees it.
class SignalForwarder {
 public:
  // Blocks those signals for this thread and those it makes. Construct before any other thread exists.
  SignalForwarder();
  ~SignalForwarder();  // ends the thread; the signals stay blocked

  // From now on. After `timeout` the first process gets SIGTERM, and everything SIGKILL if that is not
  // enough.
  void start(platform::Platform& platform, std::optional<std::chrono::milliseconds> timeout);
  bool has_timed_out() const { return has_timed_out_; }

 private:
  void serve(platform::Platform& platform, std::optional<std::chrono::milliseconds> timeout);

  sigset_t signals_;
  std::thread thread_;
  std::atomic<bool> is_ending_{false};
  std::atomic<bool> has_timed_out_{false};
};

}  // namespace sandbox
