// The wait loop and what follows from each kind of stop; execs and who watches calls have files of their own.
#include "platform/tracer.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "platform/host_file.h"
#include "platform/interruptible_wait.h"
#include "platform/loader_call.h"
#include "sandbox/check.h"

namespace sandbox::platform {

namespace {

constexpr long kTraceOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
                               PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;

constexpr int kSysSeccomp = 1;  // SYS_SECCOMP, which glibc's header does not have

// Ends the tracer's waitpid when another thread has work for it.
int wake_signal() { return SIGRTMAX - 2; }

// A number of /proc/TID/status; 0 when the thread is gone.
pid_t status_field(const std::string& status, const char* name) {
  size_t place = status.find(name);
  return place == std::string::npos ? 0 : std::atoi(status.c_str() + place + std::strlen(name));
}

uint64_t clone_flags(const Registers& registers) {
  switch (registers.orig_rax) {
    case SYS_fork:
      return SIGCHLD;
    case SYS_vfork:
      return CLONE_VFORK | CLONE_VM | SIGCHLD;
    default:
      return registers.rdi;
  }
}

}  // namespace

void Tracer::set_observation(const Observation& observation) {
  observation_ = &observation;
  shares_cpu_ = kind_ == EngineKind::kPtrace && SharedCpu::is_possible(observation.traced);
}

Result<void> Tracer::attach() {
  tracer_tid_ = gettid();
  prepare_interruptible_wait(wake_signal());
  return attach_joined(process_.first_tid);
}

Result<void> Tracer::attach_joined(pid_t tid) {
  const bool tells_deaths = enforcement_ != nullptr && enforcement_->observer != nullptr;
  const long options = kTraceOptions | (tells_deaths ? PTRACE_O_TRACEEXIT : 0);
  TRY(host_status(ptrace(PTRACE_SEIZE, tid, nullptr, options)));
  // What comes before its first exec are calls of the launch.
  tracees_.emplace(tid, Tracee{.tgid = tid, .installs_filter = true, .is_loading = true});
  return {};
}

Platform::Outcome Tracer::serve() {
  const bool has_own_init = process_.init_tid != process_.first_tid;
  if (!has_own_init) init_is_gone_ = true;
  while (!tracees_.empty() || !newborns_.empty() || !init_is_gone_) {
    run_jobs();
    if (!deferred_.empty()) {
      auto [tid, status] = deferred_.front();
      deferred_.pop_front();
      handle(tid, status);
      continue;
    }
    int raw = 0;
    pid_t tid = wait_for_any(&raw, has_jobs_);
    if (tid < 0 && errno == EINTR) continue;
    if (tid < 0) break;  // ECHILD
    if (has_own_init && tid == process_.init_tid) {
      init_is_gone_ = WIFEXITED(raw) || WIFSIGNALED(raw);
      continue;
    }
    handle(tid, WaitStatus(raw));
  }
  {
    std::lock_guard lock(job_mutex_);
    is_over_ = true;
    jobs_.clear();
  }
  job_done_.notify_all();
  return outcome_;
}

void Tracer::handle(pid_t tid, WaitStatus status) {
  using Kind = WaitStatus::Kind;
  const Kind kind = status.kind();
  if (kind == Kind::kGone) return handle_gone(tid, status);
  note_stop(tid);
  if (kind == Kind::kExiting) return handle_exiting(tid);
  auto found = tracees_.find(tid);
  if (found == tracees_.end() || found->second.awaits_first_stop) return handle_first_stop(tid, status);
  switch (kind) {
    case Kind::kSeccomp:
      return handle_seccomp(tid);
    case Kind::kSyscallStop:
      return handle_syscall_stop(tid);
    case Kind::kBirth:
      return handle_birth(tid);
    case Kind::kSignalDelivery:
      return handle_signal(tid, status.signal());
    // ESRCH from here on means that it was killed meanwhile; its end is the next thing waitpid tells.
    case Kind::kGroupStop:
      if (CallObserver* told = observer()) told->on_group_stop(tid, status.signal());
      (void)leave_stopped(tid);
      return;
    case Kind::kTrap:
      tell_owed_registers(tid);
      return engine_->on_trap_stop(tid);
    default:
      lose_control(tid, status);
  }
}

void Tracer::note_stop(pid_t tid) {
  if (shares_cpu_) return shared_cpu_.note_stop(tid);
  placement_.note_stop(tid);
}

// ESRCH means that it was killed meanwhile; its end is the next thing waitpid tells.
void Tracer::let_run(pid_t tid, int signal) {
  (void)run(tid, [&] { return watch_ ? resume_to_call(tid, signal) : resume(tid, signal); });
}

Result<void> Tracer::let_finish(pid_t tid) {
  return run(tid, [&] { return resume_to_syscall_exit(tid); });
}

// A stop nobody can explain: going on might run the workload unguarded.
void Tracer::lose_control(pid_t tid, WaitStatus status) {
  std::string text = fmt::format("thread {} stopped with status {:#x}, which nothing in the tracer expects",
                                 tid, status.raw());
  check_failed("the stop is known", text.c_str());
}

// ---- birth ----

void Tracer::announce(pid_t parent, pid_t child, uint64_t flags) {
  pid_t tgid = child;
  if (flags & CLONE_THREAD) {
    auto found = tracees_.find(parent);
    if (found != tracees_.end()) tgid = found->second.tgid;
  }
  tracees_.emplace(child, Tracee{tgid});
  if (shares_cpu_) {
    shared_cpu_.note_birth(parent, child);
  } else {
    placement_.note_birth(parent, child);
  }
  supervisor_.on_clone(parent, child, flags);
  if (CallObserver* told = observer()) told->on_birth(parent, child);
}

// The parent's event and the child's first stop come in either order; the child runs after both.
void Tracer::handle_birth(pid_t tid) {
  auto message = get_event_message(tid);
  auto registers = get_registers(tid);
  if (!message || !registers) return;  // killed; the child is then an orphan
  const pid_t child = static_cast<pid_t>(*message);
  if (auto gone = stillborns_.find(child); gone != stillborns_.end()) {
    WaitStatus status = gone->second;
    stillborns_.erase(gone);
    announce(tid, child, clone_flags(*registers));
    handle_gone(child, status);
  } else if (!tracees_.contains(child)) {
    auto newborn = newborns_.find(child);
    announce(tid, child, clone_flags(*registers));
    if (newborn == newborns_.end()) {
      tracees_.at(child).awaits_first_stop = true;
    } else {
      WaitStatus status = newborn->second.status;
      newborns_.erase(newborn);
      resume_first_stop(child, status);
    }
  }
  if (auto found = tracees_.find(tid); found != tracees_.end() && found->second.is_observed) {
    (void)let_finish(tid);
  } else {
    let_run(tid);
  }
}

void Tracer::resume_first_stop(pid_t tid, WaitStatus status) {
  if (status.kind() == WaitStatus::Kind::kGroupStop) {
    (void)leave_stopped(tid);
  } else {
    let_run(tid);
  }
}

void Tracer::handle_first_stop(pid_t tid, WaitStatus status) {
  using Kind = WaitStatus::Kind;
  if (status.kind() != Kind::kTrap && status.kind() != Kind::kGroupStop) lose_control(tid, status);
  if (auto found = tracees_.find(tid); found != tracees_.end()) {
    found->second.awaits_first_stop = false;
    return resume_first_stop(tid, status);
  }
  // Who its parent is matters only when the parent is killed before its own event.
  auto proc = read_host_file(fmt::format("/proc/{}/status", tid));
  Newborn newborn{status, 0, 0};
  if (proc) {
    newborn.tgid = status_field(*proc, "\nTgid:");
    newborn.parent_tgid = status_field(*proc, "\nPPid:");
  }
  if (newborn.tgid == tid && newborn.parent_tgid != 0 && !tracees_.contains(newborn.parent_tgid)) {
    // The parent died without a word of this child: it cannot be said what it inherits.
    syscall(SYS_tgkill, tid, tid, SIGKILL);
  }
  newborns_.emplace(tid, newborn);
}

// A process was killed between its fork and its event: what it had forked lives on, as under Linux.
void Tracer::announce_orphans_of(pid_t tid, pid_t tgid) {
  if (tid != tgid) return;
  std::vector<pid_t> orphans;
  for (const auto& [child, newborn] : newborns_) {
    if (newborn.parent_tgid == tgid && newborn.tgid == child) orphans.push_back(child);
  }
  for (pid_t child : orphans) {
    WaitStatus status = newborns_.at(child).status;
    newborns_.erase(child);
    announce(tgid, child, SIGCHLD);
    resume_first_stop(child, status);
  }
}

// ---- death ----

void Tracer::handle_gone(pid_t tid, WaitStatus status) {
  if (tid == process_.first_tid) {
    outcome_.wait_status = init_fault_ ? *init_fault_ : status.raw();
    if (!first_has_executed_) {
      launch_failure_ = read_launch_failure(process_.channel);
      outcome_.exec_error = launch_failure_ ? launch_failure_->error : Errno(ECHILD);
    }
    // Without a PID namespace of its own nothing else ends what it leaves behind.
    if (!process_.has_pid_namespace)
      for (const auto& [other, tracee] : tracees_) kill(tracee.tgid, SIGKILL);
  }
  {
    std::lock_guard lock(exec_mutex_);
    completed_execs_.erase(tid);
  }
  auto found = tracees_.find(tid);
  if (found == tracees_.end()) {
    if (newborns_.erase(tid) > 0) stillborns_.insert_or_assign(tid, status);
    return;
  }
  const Tracee tracee = found->second;
  announce_orphans_of(tid, tracee.tgid);
  shared_cpu_.note_death(tid);
  tracees_.erase(tid);
  if (tracee.exec) retry_delayed_exec(tracee.tgid);
  engine_->on_thread_gone(tid);
  supervisor_.on_thread_exit(tid, status.raw());
  if (CallObserver* told = observer()) told->on_death(tid, status.raw());
}

// ---- calls ----

void Tracer::handle_seccomp(pid_t tid) {
  auto registers = get_registers(tid);
  if (!registers) return;
  const uint32_t number = static_cast<uint32_t>(registers->orig_rax);
  if (shares_cpu_ && SharedCpu::is_revealing(number)) shared_cpu_.reveal(tid);
  const bool is_exec = number == SYS_execve || number == SYS_execveat;
  const bool is_loaders = is_exec && is_loader_call(event_of(tid, *registers));
  if (!is_loaders && refuse_by_profile(tid, *registers)) return;
  if (is_exec && !is_loaders) return handle_exec(tid, *registers);
  if (!is_exec && observe_call(tid, *registers)) return;
  engine_->on_seccomp_stop(tid, *registers);
}

// The call does not run and returns the value.
void Tracer::answer_call(pid_t tid, Registers registers, int64_t value) {
  registers.orig_rax = static_cast<uint64_t>(-1);
  registers.rax = static_cast<uint64_t>(value);
  if (set_registers(tid, registers)) let_run(tid);
}

void Tracer::fail_call(pid_t tid, const Registers& registers, Errno error) {
  answer_call(tid, registers, error.as_return());
}

void Tracer::handle_syscall_stop(pid_t tid) {
  auto registers = get_registers(tid);
  if (!registers) return;
  if (has_watched_ && handle_watched_stop(tid, *registers)) return;
  Tracee& tracee = tracees_.at(tid);
  // Another thread's exec may come out where the leader was in a call of its own.
  const bool is_exec = registers->orig_rax == SYS_execve || registers->orig_rax == SYS_execveat;
  if (tracee.is_observed && !is_exec) return observe_return(tid, *registers);
  if (static_cast<int64_t>(registers->rax) == 0) {
    if (finish_exec(tracee.tgid) == SYS_execveat) {
      // loader_main's was_execveat; a fresh program's registers are 0.
      registers->r12 = 1;
      if (!set_registers(tid, *registers)) return;
    }
    let_run(tid);
    return;
  }
  if (!tracee.exec) lose_control(tid, WaitStatus((SIGTRAP | 0x80) << 8 | 0x7f));
  // Linux keeps a failed call's argument registers; a restarted one needs its own number again.
  Registers restored = tracee.exec->original;
  restored.rax = registers->rax;
  tracee.exec.reset();
  tell_return(tid, static_cast<uint32_t>(restored.orig_rax), static_cast<int64_t>(restored.rax));
  tell_watched_return(tid, static_cast<int64_t>(restored.rax));
  if (set_registers(tid, restored)) let_run(tid);
  retry_delayed_exec(tracee.tgid);
}

// ---- signals ----

// Linux lets a fault kill PID 1 like any process, but not when PID 1 is traced: it would fault for ever.
bool Tracer::is_fatal_fault_of_init(pid_t tid, int signal) const {
  if (process_.init_tid != process_.first_tid || tracees_.at(tid).tgid != process_.init_tid) return false;
  if (signal != SIGSEGV && signal != SIGBUS && signal != SIGILL && signal != SIGFPE && signal != SIGTRAP &&
      signal != SIGSYS) {
    return false;
  }
  siginfo_t info{};
  if (ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) < 0 || info.si_code <= 0)
    return false;  // sent by a process
  auto status = read_host_file(fmt::format("/proc/{}/status", tid));
  size_t place = status ? status->find("\nSigCgt:") : std::string::npos;
  if (place == std::string::npos) return false;
  const uint64_t caught = std::strtoull(status->c_str() + place + 8, nullptr, 16);
  return ((caught >> (signal - 1)) & 1) == 0;
}

void Tracer::handle_signal(pid_t tid, int signal) {
  if (is_fatal_fault_of_init(tid, signal)) {
    init_fault_ = signal;
    syscall(SYS_tgkill, tracees_.at(tid).tgid, tid, SIGKILL);
    return;
  }
  auto registers = get_registers(tid);
  if (!registers) return;
  if (observer() != nullptr || enforcement_ != nullptr) {
    siginfo_t info{};
    if (ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) < 0) return;
    if (enforcement_ != nullptr && signal == SIGSYS && info.si_code == kSysSeccomp)
      tell_profile_signal(tid, info, *registers);
    if (CallObserver* told = observer()) told->on_signal(tid, info, *registers);
  }
  if (engine_->on_signal_stop(tid, *registers) == TracerEngine::Change::kRegisters) {
    if (!set_registers(tid, *registers)) return;
  }
  let_run(tid, signal);
}

// ---- requests of other threads, and waiting for one tracee ----

Result<Registers> Tracer::finish_syscall(pid_t tid, uint64_t expected_number) {
  TRY(let_finish(tid));
  int raw = 0;
  pid_t waited;
  do {
    waited = waitpid(tid, &raw, __WALL);
  } while (waited < 0 && errno == EINTR);
  if (waited < 0) return err(ESRCH);
  note_stop(tid);
  WaitStatus status(raw);
  if (status.kind() == WaitStatus::Kind::kSyscallStop) {
    auto registers = TRY(get_registers(tid));
    if (registers.orig_rax == expected_number) {
      tracees_.at(tid).is_past_exit = true;
      return registers;
    }
  }
  // Killed, or the thread that now has this id comes out of an execve of its own.
  deferred_.emplace_back(tid, status);
  return err(ESRCH);
}

Result<int64_t> Tracer::repeat_syscall(pid_t tid, const Registers& original, Registers again) {
  constexpr uint64_t kInstructionSize = 2;  // syscall
  again.rip = original.rip - kInstructionSize;
  again.rax = original.orig_rax;
  again.orig_rax = static_cast<uint64_t>(-1);
  TRY(set_registers(tid, again));
  // One stop at its entry, one at its exit.
  for (int stops = 0; stops < 2; ++stops) {
    TRY(let_finish(tid));
    int raw = 0;
    pid_t waited;
    do {
      waited = waitpid(tid, &raw, __WALL);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0) return err(ESRCH);
    note_stop(tid);
    WaitStatus status(raw);
    if (status.kind() == WaitStatus::Kind::kSyscallStop) continue;
    Registers failed = original;
    failed.rax = static_cast<uint64_t>(-ENOMEM);
    failed.orig_rax = static_cast<uint64_t>(-1);
    (void)set_registers(tid, failed);
    deferred_.emplace_back(tid, status);
    return err(ESRCH);
  }
  auto registers = TRY(get_registers(tid));
  tracees_.at(tid).is_past_exit = true;
  return static_cast<int64_t>(registers.rax);
}

void Tracer::run_jobs() {
  if (has_jobs_.load() == 0) return;
  std::unique_lock lock(job_mutex_);
  has_jobs_ = 0;
  while (!jobs_.empty()) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    lock.lock();
    jobs_run_ = job.number;
    job_done_.notify_all();
  }
}

uint64_t Tracer::add_job(std::function<void()> work) {
  if (is_over_) return 0;
  const uint64_t number = ++jobs_posted_;
  jobs_.push_back({number, std::move(work)});
  has_jobs_ = 1;
  syscall(SYS_tgkill, getpid(), tracer_tid_, wake_signal());
  return number;
}

void Tracer::post(std::function<void()> work) {
  if (gettid() == tracer_tid_) return work();
  std::lock_guard lock(job_mutex_);
  add_job(std::move(work));
}

bool Tracer::run_on_tracer(std::function<void()> work) {
  if (gettid() == tracer_tid_) {
    work();
    return true;
  }
  std::unique_lock lock(job_mutex_);
  const uint64_t number = add_job(std::move(work));
  if (number == 0) return false;
  job_done_.wait(lock, [&] { return jobs_run_ >= number || is_over_; });
  return jobs_run_ >= number;
}

}  // namespace sandbox::platform
