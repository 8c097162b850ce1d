// ParkedCalls: calls that wait for others in the host kernel, each on a thread of its own.
#pragma once

#include <signal.h>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "sentry/call.h"

namespace sandbox {

// A signal that the caller would act on ends the wait with ERESTARTSYS, as it ends the same wait in
// Linux; so does the caller's death. Signals are looked for about every 10 ms.
class ParkedCalls {
 public:
  // `host_proc` is where callers' pending signals are read; it must outlive this object.
  explicit ParkedCalls(int host_proc);
  ~ParkedCalls();   // ends every wait and joins every thread

  // What may wait. A host call in it that fails with EINTR must be returned, not retried.
  using Work = std::function<SyscallResult()>;
  // Takes the call off the engine and answers it with what `work` returns. Errors: EAGAIN (too many).
  SyscallResult run(Call& call, Work work);

  // Interrupts what a worker waits in; never sent by anybody else.
  static int interrupt_signal() { return SIGRTMAX; }

 private:
  static constexpr size_t kMaximumParked = 1024;
  struct Parked;

  void watch();
  void serve(Parked& parked);
  bool must_end(Parked& parked);

  int host_proc_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::list<std::unique_ptr<Parked>> calls_;   // lock_
  bool is_ending_ = false;                     // lock_
  std::thread watcher_;
};

}  // namespace sandbox
