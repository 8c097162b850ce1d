// ParkedCalls: calls that wait for others in the host kernel, each on a thread of its own.
#pragma once

#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "sentry/call.h"

namespace sandbox {

// A signal that the caller would act on ends run()'s wait with ERESTARTSYS, as it ends the same wait in
// Linux; so does the caller's death. Signals are looked for about every 10 ms.
class ParkedCalls {
 public:
  // `host_proc` is where callers' pending signals are read; it must outlive this object.
  explicit ParkedCalls(int host_proc);
  ~ParkedCalls();  // ends every wait and joins every thread

  // What may wait. A host call in it that fails with EINTR must be returned, not retried.
  using Work = std::function<SyscallResult()>;
  // Takes the call off the engine and answers it with what `work` returns. Errors: EAGAIN (too many).
  SyscallResult run(Call& call, Work work);
  // The same for work that Linux lets only a fatal signal end: `is_cancelled` then becomes true, and a host
  // call may fail with EINTR. `call` is the parked one.
  using KillableWork =
      std::function<SyscallResult(platform::InterceptedCall& call, const std::atomic<bool>& is_cancelled)>;
  SyscallResult run_killable(Call& call, KillableWork work);
  // The thread is gone: its wait is over when this returns, so that nobody else meets its open FIFO.
  // (After 10 ms of trying it returns all the same; the watcher goes on.)
  void end_calls_of(pid_t host_tid);

  // Interrupts what a worker waits in; never sent by anybody else.
  static int interrupt_signal() { return SIGRTMAX; }

 private:
  static constexpr size_t kMaximumParked = 1024;
  struct Parked;
  enum class EndedBy { kAnySignal, kFatalSignal };

  SyscallResult start(Call& call, KillableWork work, EndedBy ended_by);
  void watch();
  void serve(Parked& parked);
  bool must_end(Parked& parked);

  int host_proc_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::list<std::unique_ptr<Parked>> calls_;  // lock_
  std::atomic<size_t> waiting_{0};            // how many are not done: end_calls_of asks before it locks
  bool is_ending_ = false;                    // lock_
  std::thread watcher_;
};

}  // namespace sandbox
