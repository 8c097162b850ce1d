// HostTracer: watches programs that run on the host itself, without a sandbox, as strace does.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/altered_call.h"
#include "platform/call_observer.h"
#include "platform/delayed_work.h"
#include "platform/placement.h"
#include "platform/ptrace_requests.h"
#include "platform/result_tap.h"
#include "platform/shared_cpu.h"
#include "platform/wait_status.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

struct HostTracerOptions {
  CallSet traced = CallSet::all();
  // on_call is given all registers, which costs one more request a call.
  enum class NeedsRegisters { kNo, kYes } needs_registers = NeedsRegisters::kNo;
};

// One trace. Every method but request_detach belongs to one thread: ptrace(2) obeys only the one that
// attached.
class HostTracer {
 public:
  // `observer` outlives it.
  HostTracer(HostTracerOptions options, CallObserver& observer);

  // Starts a program whose calls are watched from its execve on. When only some are traced, a seccomp filter
  // lets the others run at full speed; without CAP_SYS_ADMIN the program then has no_new_privs. It is killed
  // with the tracer. `path` is taken as it is. Errors: of fork and of PTRACE_SEIZE (EPERM).
  Result<void> start(const std::string& path, const std::vector<std::string>& argv,
                     const std::vector<std::string>& environment);
  // Attaches to all threads of a running process. Errors: ESRCH (also when it has ended, and its parent has
  // not asked how), EPERM.
  Result<void> attach(pid_t pid);

  struct Outcome {
    std::optional<Errno> exec_error;  // start()'s program never ran
    int wait_status = 0;              // of the first process, when it ended
    bool has_detached = false;
  };
  // Until no traced thread is left or request_detach was heard.
  Outcome serve();

  // From any thread and from signal handlers: every thread is let go and runs on as if never traced.
  void request_detach();
  // The process that was started or attached to first.
  pid_t first_process() const { return first_; }

 private:
  enum class Phase : uint8_t { kUser, kInCall };
  struct Tracee {
    Phase phase = Phase::kUser;
    bool is_told = false;                // in a call that the observer waits for
    bool has_entry_stop = false;         // of the call it is in, before its filters were asked
    bool is_noted = false;               // its result comes by the tap, without a stop
    bool awaits_stop = true;             // its first one
    std::optional<SyscallEvent> held;    // of a call whose time has not come; the thread is stopped
    std::optional<AlteredCall> altered;  // what an intervention has made of its call
    // Noted, but a thread that is killed has this result, too.
    std::optional<ResultTap::Noted> uncertain;
  };

  void ask_tap(pid_t tid, Tracee& tracee);
  void tell_noted();
  void tell_result(Tracee& tracee, const ResultTap::Noted& noted);
  void forget_question(pid_t tid, Tracee& tracee);
  void see_to_results();
  void handle(pid_t tid, WaitStatus status, int event);
  void handle_gone(pid_t tid, WaitStatus status);
  void handle_entry(pid_t tid, Tracee& tracee);
  void note_own_filter(const SyscallEvent& event);
  bool is_own_call(pid_t tid, uint32_t number) const;
  void handle_call_stop(pid_t tid, Tracee& tracee);
  void intervene(const SyscallEvent& event, const Intervention& wanted);
  void restore(pid_t tid, Tracee& tracee);
  void tell_return(pid_t tid, Tracee& tracee, int64_t result);
  void run_due();
  void handle_birth(pid_t tid);
  void handle_exec(pid_t tid);
  void handle_signal(pid_t tid, int signal);
  void handle_event_stop(pid_t tid, Tracee& tracee, int signal);
  void note_stop(pid_t tid);
  void let_run(pid_t tid, const Tracee& tracee, int signal = 0);
  void interrupt_all();
  void let_go(pid_t tid, WaitStatus status, int event);
  [[noreturn]] void become_program(int gate, int report, const char* path, char* const* argv,
                                   char* const* environment);

  const HostTracerOptions options_;
  CallObserver& observer_;
  std::vector<sock_filter> filter_;  // empty: every call stops
  pid_t first_ = 0, tracer_tid_ = 0;
  // Every call stops at both ends although there is a filter of ours: others may stand before it.
  bool stops_at_all_ = false;
  bool has_begun_ = false;  // the program's own execve was seen, or it runs already
  bool is_started_ = false;
  bool has_executed_ = false;  // until then start()'s process makes calls of ours, besides that execve
  UniqueFd exec_report_;
  std::unordered_map<pid_t, Tracee> tracees_;
  SharedCpu shared_cpu_;     // of what was started
  StopPlacement placement_;  // of what was attached to: it must be as it was, should the tracer be killed
  std::atomic<int> is_detaching_{0};
  std::atomic<int> wants_attention_{0};  // ends the wait
  std::unique_ptr<ResultTap> tap_;       // null: each call that is told stops at its end
  uint32_t questions_ = 0;               // of the tap, without an answer
  std::atomic<bool> is_look_due_{false};
  std::mutex due_mutex_;
  std::vector<std::pair<pid_t, Intervention>> due_;  // due_mutex_; threads whose delay is over
  bool has_interrupted_ = false;
  Outcome outcome_;
  DelayedWork delayed_;  // last: it ends before what it uses
};

}  // namespace sandbox::platform
