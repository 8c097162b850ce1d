// Tracer: the ptrace side of both engines; births, deaths, execs, signals and job control of every workload
// thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/altered_call.h"
#include "platform/delayed_work.h"
#include "platform/launch.h"
#include "platform/observed_supervisor.h"
#include "platform/placement.h"
#include "platform/platform.h"
#include "platform/profiled_supervisor.h"
#include "platform/ptrace_requests.h"
#include "platform/shared_cpu.h"
#include "platform/wait_status.h"

namespace sandbox::platform {

// What an engine adds to the tracer. Called on the tracer's thread.
class TracerEngine {
 public:
  virtual ~TracerEngine() = default;
  // The first process is in the seccomp stop of its first execve.
  virtual Result<void> on_first_exec(pid_t tid, const Registers& registers) = 0;
  // A seccomp stop that is not an exec. The engine resumes the thread, now or later.
  virtual void on_seccomp_stop(pid_t tid, const Registers& registers) = 0;
  // A signal-delivery stop; kRegisters: they were changed and are to be written back.
  enum class Change { kNone, kRegisters };
  virtual Change on_signal_stop(pid_t tid, Registers& registers) = 0;
  // The stop that PTRACE_INTERRUPT asked for, or the end of a group stop. The engine resumes the thread.
  virtual void on_trap_stop(pid_t tid) = 0;
  virtual void on_thread_gone(pid_t tid) = 0;
};

// Every method but those marked so belongs to the thread that calls serve(): ptrace(2) obeys only it.
class Tracer {
 public:
  Tracer(Supervisor& supervisor, const LaunchedProcess& process, EngineKind kind)
      : supervisor_(supervisor), process_(process), kind_(kind) {}

  void set_engine(TracerEngine& engine) { engine_ = &engine; }
  // Before serve(); outlives it.
  void set_observation(const Observation& observation);
  void set_enforcement(const Enforcement& enforcement) { enforcement_ = &enforcement; }

  // Attaches to the first process. Errors: those of PTRACE_SEIZE (EPERM: the host forbids it).
  Result<void> attach();
  // The same for a process that has joined the workload, before it installs its filter. On the tracer's
  // thread.
  Result<void> attach_joined(pid_t tid);
  // Serves events until neither a traced thread nor the init is left.
  Platform::Outcome serve();

  // A watch of calls that begins while the workload runs, whose filter knows nothing of it: every call of
  // every thread then stops at its entry and at its exit. From any thread. Errors: EBUSY: somebody watches
  // already; ESRCH: serve() is over.
  Result<void> watch(const Watch& watch);
  // Once it returns, the observer of watch() is told nothing more.
  void unwatch();

  // Why the first process never came to execute anything, once serve() is over.
  const std::optional<LaunchFailure>& launch_failure() const { return launch_failure_; }

  // Has `work` done on the tracer's thread, in order; dropped when serve() is over. From any thread, also one
  // that holds a lock the tracer may be waiting for. On the tracer's own thread it is done before this
  // returns.
  void post(std::function<void()> work);
  // The same, and returns when it was done (true) or dropped.
  bool run_on_tracer(std::function<void()> work);

  // Whether that process has executed the loader and not asked for its program yet; at most one true
  // an exec. From any thread.
  bool take_completed_exec(pid_t tgid);

  // Lets a stopped thread run, delivering `signal` (0: none).
  void let_run(pid_t tid, int signal = 0);

  // Lets a thread in a seccomp stop make its call `number`; when somebody watches such calls, its end is
  // told.
  void let_call_run(pid_t tid, uint32_t number);
  // The same for one that an intervention changes.
  void let_altered_call_run(pid_t tid, const Registers& registers, const Intervention& wanted);
  // Tells who watches, if anybody does, of a call that the engine answers by itself.
  CallObserver::Interest tell_call(pid_t tid, const Registers& registers);
  void tell_return(pid_t tid, uint32_t number, int64_t result);
  // Has the profile's observer told the registers of the call that the thread waits in, as soon as that is
  // answered. From any thread but one that the tracer waits for.
  void tell_registers_after(pid_t tid);
  // The engine has put this result into the registers of a call, and lets it run next.
  void note_answer(pid_t tid, int64_t result);

  // Resumes a thread in a seccomp stop to the end of its system call; its registers there.
  // Errors: ESRCH: it was killed, or its place taken by another thread's exec.
  Result<Registers> finish_syscall(pid_t tid, uint64_t expected_number);
  // Makes a thread in a stop right after a system call execute that instruction again, as `again` says; it is
  // then in the exit stop of the second call. The result. Errors: ESRCH: it was killed, or another stop came
  // first: it is then as if the first call had failed with ENOMEM, and that stop is served like any other.
  Result<int64_t> repeat_syscall(pid_t tid, const Registers& original, Registers again);

 private:
  // An execve that was let through; what its registers are to be when it fails after all.
  struct ExecAttempt {
    Registers original;
  };
  struct Tracee {
    pid_t tgid;
    bool awaits_first_stop = false;
    std::optional<ExecAttempt> exec;
    bool awaits_other_exec = false;      // stopped at its execve until another thread's is decided
    bool is_observed = false;            // in a call whose end is to be told
    bool installs_filter = false;        // its first exec hands over a listener
    bool is_loading = false;             // the loader runs: its calls are not the program's
    bool is_past_exit = false;           // of its call: the exit stop has been used, none will come
    std::optional<AlteredCall> altered;  // what an intervention has made of its call
    uint64_t hold = 0;                   // who may let it go on; 0: nobody has to
    // Of a call that was made to meet the profile's action in the kernel.
    std::optional<uint64_t> refused_number;
    bool owes_registers = false;  // to the profile's observer, at the stop that comes next
  };

  // Who is told of births, deaths, execs and signals; null: nobody.
  CallObserver* observer() const;
  bool handle_watched_stop(pid_t tid, const Registers& registers);
  void handle_watched_entry(pid_t tid, const Registers& registers, const CallInfo& info);
  bool tell_watched_entry(pid_t tid, const Registers& registers, const SyscallEvent& event);
  void intervene_at_entry(pid_t tid, const Registers& registers, const SyscallEvent& event,
                          const Intervention& wanted);
  void tell_watched_return(pid_t tid, int64_t result);
  bool is_end_of_exec(pid_t tid, const Registers& registers) const;

  void note_stop(pid_t tid);
  // Runs `resume`, which lets the stopped thread run.
  template <typename Resume>
  auto run(pid_t tid, Resume resume);
  // Lets it run to the end of the system call it is in. Errors: ESRCH.
  Result<void> let_finish(pid_t tid);
  void handle(pid_t tid, WaitStatus status);
  void handle_gone(pid_t tid, WaitStatus status);
  void handle_seccomp(pid_t tid);
  bool observe_call(pid_t tid, const Registers& registers);
  bool refuse_by_profile(pid_t tid, const Registers& registers);
  void tell_against_profile(const SyscallEvent& event, const ProfileAction& action,
                            const Registers& registers);
  void tell_owed_registers(pid_t tid);
  void tell_profile_signal(pid_t tid, siginfo_t& info, Registers& registers);
  void handle_exiting(pid_t tid);
  void observe_return(pid_t tid, Registers registers);
  std::optional<Intervention> take_intervention(pid_t tid);
  bool alter(pid_t tid, const Registers& registers, const Intervention& wanted);
  void go_on_after(pid_t tid, uint64_t delay_ns, std::function<void()> go_on);
  void answer_call(pid_t tid, Registers registers, int64_t value);
  void let_exec(pid_t tid, const Registers& registers);
  void handle_exec(pid_t tid, const Registers& registers);
  void handle_syscall_stop(pid_t tid);
  void handle_birth(pid_t tid);
  void handle_signal(pid_t tid, int signal);
  bool is_fatal_fault_of_init(pid_t tid, int signal) const;
  void handle_first_stop(pid_t tid, WaitStatus status);
  uint64_t finish_exec(pid_t tgid);
  bool is_other_exec_undecided(pid_t tid, pid_t tgid) const;
  void retry_delayed_exec(pid_t tgid);
  void fail_call(pid_t tid, const Registers& registers, Errno error);
  void fail_exec(pid_t tid, const Registers& registers, Errno error);
  void announce(pid_t parent, pid_t child, uint64_t flags);
  void announce_orphans_of(pid_t tid, pid_t tgid);
  void resume_first_stop(pid_t tid, WaitStatus status);
  void run_jobs();
  // With job_mutex_ held. 0: serve() is over.
  uint64_t add_job(std::function<void()> work);
  [[noreturn]] void lose_control(pid_t tid, WaitStatus status);

  // A new tracee whose parent's event has not come yet.
  struct Newborn {
    WaitStatus status;
    pid_t tgid, parent_tgid;  // from /proc
  };

  Supervisor& supervisor_;
  const LaunchedProcess& process_;
  const EngineKind kind_;
  TracerEngine* engine_ = nullptr;
  const Observation* observation_ = nullptr;  // from the start on; null: nobody watches
  std::optional<Watch> watch_;                // never besides observation_
  bool has_watched_ = false;                  // threads may still stop where a watch wanted it
  const Enforcement* enforcement_ = nullptr;  // null: no profile
  std::unordered_map<pid_t, Tracee> tracees_;
  std::unordered_map<pid_t, Newborn> newborns_;
  std::unordered_map<pid_t, WaitStatus> stillborns_;   // died before their parent's event came
  std::deque<std::pair<pid_t, WaitStatus>> deferred_;  // seen while waiting for one thread
  StopPlacement placement_;
  bool shares_cpu_ = false;  // in a trace that stops at every call, and so at those that reveal it
  SharedCpu shared_cpu_;     // then instead of placement_
  uint64_t last_hold_ = 0;
  bool init_is_gone_ = false;
  bool first_has_executed_ = false;
  std::optional<int> init_fault_;  // the signal that PID 1 died of in truth
  Platform::Outcome outcome_;
  std::optional<LaunchFailure> launch_failure_;

  std::mutex exec_mutex_;
  std::set<pid_t> completed_execs_;

  struct Job {
    uint64_t number;
    std::function<void()> work;
  };
  std::mutex job_mutex_;
  std::condition_variable job_done_;
  std::deque<Job> jobs_;
  std::atomic<int> has_jobs_{0};
  uint64_t jobs_posted_ = 0, jobs_run_ = 0;
  pid_t tracer_tid_ = 0;
  bool is_over_ = false;
  DelayedWork delayed_;  // last: it ends before what it uses
};

template <typename Resume>
auto Tracer::run(pid_t tid, Resume resume) {
  if (!shares_cpu_) return placement_.run(tid, resume);
  shared_cpu_.prepare(tid);
  return resume();
}

}  // namespace sandbox::platform
