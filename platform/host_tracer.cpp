// The wait loop over programs of the host.
#include "platform/host_tracer.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "platform/bpf.h"
#include "platform/host_file.h"
#include "platform/interruptible_wait.h"
#include "platform/process_memory.h"
#include "sandbox/syscall_table.h"

namespace sandbox::platform {

namespace {

constexpr long kTraceOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
                               PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

// Ends the tracer's wait when it is to detach.
int wake_signal() { return SIGRTMAX - 2; }

// The numbers that are traced go to the tracer; those of other architectures run unseen.
std::vector<sock_filter> make_filter(CallSet traced) {
  for (uint32_t number : SharedCpu::kRevealing) traced.add(number);
  const bpf::Program allow{bpf::statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const bpf::Program trace{bpf::statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
  std::vector<bpf::Segment> segments{{0, traced.contains(0) ? trace : allow}};
  for (uint32_t number = 1; number <= CallSet::kLimit; ++number) {
    if (traced.contains(number) != traced.contains(number - 1))
      segments.push_back({number, traced.contains(number) ? trace : allow});
  }
  bpf::Program program{bpf::load(offsetof(seccomp_data, arch)), bpf::jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
                       allow.front(), bpf::load(offsetof(seccomp_data, nr))};
  bpf::append(program, bpf::search(segments));
  return program;
}

// A signal ended the call, perhaps SIGKILL: EINTR, ERESTARTSYS to ERESTART_RESTARTBLOCK.
bool was_interrupted(int64_t result) { return result == -EINTR || (result <= -512 && result >= -516); }

bool traces_everything(const CallSet& traced) {
  return std::ranges::all_of(syscall_rows(),
                             [&](const SyscallRow& row) { return traced.contains(row.number); });
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  DIR* directory = opendir(fmt::format("/proc/{}/task", pid).c_str());
  if (directory == nullptr) return threads;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') threads.push_back(std::atoi(entry->d_name));
  }
  closedir(directory);
  return threads;
}

// A zombie, to which nobody can attach: a process, or the first thread of one that lives on.
bool has_ended(pid_t tid) {
  const auto text = read_host_file(fmt::format("/proc/{}/stat", tid));
  const size_t name_end = text ? text->rfind(')') : std::string::npos;
  return name_end != std::string::npos && text->compare(name_end, 3, ") Z") == 0;
}

}  // namespace

HostTracer::HostTracer(HostTracerOptions options, CallObserver& observer)
    : options_(std::move(options)), observer_(observer), tracer_tid_(gettid()) {
  prepare_interruptible_wait(wake_signal());
}

// ---- beginning ----

// In the new process: only async-signal-safe calls.
void HostTracer::become_program(int gate, int report, const char* path, char* const* argv,
                                char* const* environment) {
  signal(SIGPIPE, SIG_DFL);
  signal(wake_signal(), SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  char go;
  if (read(gate, &go, 1) != 1) _exit(127);
  int error = 0;
  if (!filter_.empty()) {
    sock_fprog program{static_cast<unsigned short>(filter_.size()), filter_.data()};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) error = errno;
    }
  }
  if (error == 0) {
    execve(path, argv, environment);
    error = errno;
  }
  if (write(report, &error, sizeof error) != sizeof error) _exit(126);
  _exit(127);
}

Result<void> HostTracer::start(const std::string& path, const std::vector<std::string>& argv,
                               const std::vector<std::string>& environment) {
  if (auto tap = ResultTap::create()) tap_ = *std::move(tap);
  // With the tap a call has no stop at its end, so the one at its entry must be the filter's.
  if (!traces_everything(options_.traced)) {
    filter_ = make_filter(options_.traced);
  } else if (tap_) {
    filter_ = {bpf::statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
  }
  has_begun_ = !filter_.empty();
  is_started_ = true;
  int gate[2], report[2];
  TRY(host_status(pipe2(gate, O_CLOEXEC)));
  UniqueFd gate_reader(gate[0]), gate_writer(gate[1]);
  TRY(host_status(pipe2(report, O_CLOEXEC)));
  exec_report_ = UniqueFd(report[0]);
  UniqueFd report_writer(report[1]);
  const std::vector<char*> arguments = pointers_to(argv), variables = pointers_to(environment);
  first_ = TRY(host_result(fork()));
  if (first_ == 0) {
    gate_writer.reset();
    become_program(gate_reader.get(), report_writer.get(), path.c_str(), arguments.data(), variables.data());
  }
  const long options = kTraceOptions | (filter_.empty() ? 0 : PTRACE_O_EXITKILL);
  auto seized = host_status(ptrace(PTRACE_SEIZE, first_, nullptr, options));
  // Without the gate's byte the process ends.
  if (!seized) return seized;
  tracees_.emplace(first_, Tracee{.awaits_stop = false});
  // Not traced until it is stopped once.
  if (filter_.empty()) {
    TRY(host_status(ptrace(PTRACE_INTERRUPT, first_, nullptr, nullptr)));
    int raw = 0;
    TRY(host_result(waitpid(first_, &raw, __WALL)));
    let_run(first_, tracees_.at(first_));
  }
  if (write(gate_writer.get(), "", 1) != 1) return last_error();
  return {};
}

Result<void> HostTracer::attach(pid_t pid) {
  if (first_ == 0) first_ = pid;
  has_begun_ = true;
  // Threads that are born while the first are being seized are found in the next round.
  bool has_found = false;
  for (bool is_new = true; is_new;) {
    is_new = false;
    for (pid_t tid : threads_of(pid)) {
      if (tracees_.contains(tid)) continue;
      auto seized = host_status(ptrace(PTRACE_SEIZE, tid, nullptr, kTraceOptions));
      if (!seized && (seized.error() == Errno(ESRCH) || has_ended(tid))) continue;
      if (!seized) return seized;
      tracees_.emplace(tid, Tracee{});
      (void)ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
      is_new = has_found = true;
    }
  }
  if (!has_found) return err(ESRCH);
  return {};
}

// ---- serving ----

HostTracer::Outcome HostTracer::serve() {
  while (!tracees_.empty()) {
    wants_attention_ = 0;
    if (is_detaching_ && !has_interrupted_) interrupt_all();
    run_due();
    if (tracees_.empty()) break;
    if (tap_) see_to_results();
    int raw = 0;
    const pid_t tid = wait_for_any(&raw, wants_attention_);
    const bool is_interrupted = tid < 0 && errno == EINTR;
    if (tap_) tell_noted();
    if (is_interrupted) continue;
    if (tid < 0) break;  // ECHILD
    handle(tid, WaitStatus(raw), raw >> 16);
  }
  int error = 0;
  if (is_started_ && !has_interrupted_ && read(exec_report_.get(), &error, sizeof error) == sizeof error)
    outcome_.exec_error = Errno(error);
  outcome_.has_detached = has_interrupted_;
  return outcome_;
}

void HostTracer::handle(pid_t tid, WaitStatus status, int event) {
  if (status.kind() == WaitStatus::Kind::kGone) return handle_gone(tid, status);
  note_stop(tid);
  Tracee& tracee = tracees_[tid];
  if (tracee.uncertain) tell_result(tracee, *tracee.uncertain);
  if (has_interrupted_) return let_go(tid, status, event);
  switch (event) {
    case 0:
      if (status.signal() == (SIGTRAP | 0x80)) return handle_call_stop(tid, tracee);
      return handle_signal(tid, status.signal());
    case PTRACE_EVENT_SECCOMP:
      if (std::exchange(tracee.has_entry_stop, false)) return let_run(tid, tracee);
      return handle_entry(tid, tracee);
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      return handle_birth(tid);
    case PTRACE_EVENT_EXEC:
      return handle_exec(tid);
    case PTRACE_EVENT_STOP:
      return handle_event_stop(tid, tracee, status.signal());
    default:
      return let_run(tid, tracee);
  }
}

void HostTracer::note_stop(pid_t tid) {
  if (is_started_) return shared_cpu_.note_stop(tid);
  placement_.note_stop(tid);
}

// ESRCH means that it was killed meanwhile; its end is the next thing waitpid tells.
void HostTracer::let_run(pid_t tid, const Tracee& tracee, int signal) {
  const bool stops_at_calls = filter_.empty() || stops_at_all_ ||
                              (tracee.phase == Phase::kInCall && tracee.is_told && !tracee.is_noted);
  const auto request = stops_at_calls ? PTRACE_SYSCALL : PTRACE_CONT;
  const auto resume = [&] { return ptrace(request, tid, nullptr, static_cast<long>(signal)); };
  if (!is_started_) return (void)placement_.run(tid, resume);
  shared_cpu_.prepare(tid);
  (void)resume();
}

void HostTracer::handle_gone(pid_t tid, WaitStatus status) {
  if (tid == first_) outcome_.wait_status = status.raw();
  shared_cpu_.note_death(tid);
  if (auto found = tracees_.find(tid); found != tracees_.end()) forget_question(tid, found->second);
  if (tracees_.erase(tid) > 0) observer_.on_death(tid, status.raw());
}

// Whether start()'s process makes it on its way to the program's execve, or after that has failed.
bool HostTracer::is_own_call(pid_t tid, uint32_t number) const {
  return is_started_ && !has_executed_ && tid == first_ && number != SYS_execve;
}

// What a filter of the program's own refuses never comes to a seccomp stop of ours.
void HostTracer::note_own_filter(const SyscallEvent& event) {
  const bool installs_filter = (event.number == SYS_seccomp && event.args[0] == SECCOMP_SET_MODE_FILTER) ||
                               (event.number == SYS_prctl && event.args[0] == PR_SET_SECCOMP);
  stops_at_all_ |= installs_filter && traces_everything(options_.traced);
}

// A seccomp stop, or the entry of a call where every call stops.
void HostTracer::handle_entry(pid_t tid, Tracee& tracee) {
  tracee.is_told = false;
  auto info = get_call_info(tid);
  if (!info) return;
  // The end of a call that was under way when we came, and that has stopped before: an exec, a birth.
  if (info->op == PTRACE_SYSCALL_INFO_EXIT) return let_run(tid, tracee);
  tracee.phase = Phase::kInCall;
  const bool is_seccomp = info->op == PTRACE_SYSCALL_INFO_SECCOMP;
  SyscallEvent event{tid,
                     static_cast<uint32_t>(is_seccomp ? info->seccomp.nr : info->entry.nr),
                     {},
                     info->instruction_pointer};
  std::copy_n(is_seccomp ? info->seccomp.args : info->entry.args, event.args.size(), event.args.begin());
  if (SharedCpu::is_revealing(event.number)) shared_cpu_.reveal(tid);
  // Numbers of 32-bit programs mean other calls.
  if (info->arch != AUDIT_ARCH_X86_64) event.number = foreign_call(event.number);
  has_begun_ |= event.number == SYS_execve;
  if (has_executed_) note_own_filter(event);
  if (has_begun_ && options_.traced.contains(event.number) && !is_own_call(tid, event.number)) {
    ProcessMemory memory(tid);
    Registers registers;
    const Registers* known = nullptr;
    if (options_.needs_registers == HostTracerOptions::NeedsRegisters::kYes) {
      if (auto all = get_registers(tid)) {
        registers = *all;
        known = &registers;
      }
    }
    const auto interest = observer_.on_call(event, memory, known);
    tracee.is_told = interest != CallObserver::Interest::kNone;
    if (auto wanted = observer_.take_intervention(tid)) {
      if (wanted->signal != 0) syscall(SYS_tkill, tid, wanted->signal);
      if (wanted->delay_ns == 0) return intervene(event, *wanted);
      tracee.held = event;
      return delayed_.after(wanted->delay_ns, [this, tid, wanted = *wanted] {
        std::lock_guard lock(due_mutex_);
        due_.emplace_back(tid, wanted);
        wants_attention_ = 1;
        syscall(SYS_tgkill, getpid(), tracer_tid_, wake_signal());
      });
    }
    if (tap_ && !stops_at_all_ && interest == CallObserver::Interest::kResult) ask_tap(tid, tracee);
  }
  let_run(tid, tracee);
}

void HostTracer::run_due() {
  std::vector<std::pair<pid_t, Intervention>> due;
  {
    std::lock_guard lock(due_mutex_);
    due.swap(due_);
  }
  for (const auto& [tid, wanted] : due) {
    // It may have been killed, or its place taken by another thread's exec.
    auto found = tracees_.find(tid);
    if (found == tracees_.end() || !found->second.held) continue;
    intervene(*std::exchange(found->second.held, std::nullopt), wanted);
  }
}

// At the call's entry.
void HostTracer::intervene(const SyscallEvent& event, const Intervention& wanted) {
  const pid_t tid = event.host_tid;
  Tracee& tracee = tracees_.at(tid);
  auto registers = get_registers(tid);
  if (!registers) return;
  if (!wanted.result) {
    tracee.altered = AlteredCall::with_arguments(wanted, event, *registers);
    if (tracee.altered) tracee.is_told = true;  // its end is needed
  } else if (filter_.empty()) {
    tracee.altered = AlteredCall::with_result(*wanted.result, event, *registers);
  } else {
    // A seccomp stop is followed by no other when the call is skipped.
    registers->orig_rax = static_cast<uint64_t>(-1);
    registers->rax = static_cast<uint64_t>(*wanted.result);
  }
  if ((wanted.result || tracee.altered) && !set_registers(tid, *registers)) return;
  if (wanted.result && !filter_.empty()) tell_return(tid, tracee, *wanted.result);
  let_run(tid, tracee);
}

void HostTracer::restore(pid_t tid, Tracee& tracee) {
  const auto altered = std::exchange(tracee.altered, std::nullopt);
  if (!altered) return;
  auto registers = get_registers(tid);
  if (!registers) return;
  altered->restore(*registers);
  (void)set_registers(tid, *registers);
}

void HostTracer::tell_return(pid_t tid, Tracee& tracee, int64_t result) {
  tracee.phase = Phase::kUser;
  if (!std::exchange(tracee.is_told, false)) return;
  ProcessMemory memory(tid);
  observer_.on_return(tid, result, memory);
}

void HostTracer::handle_call_stop(pid_t tid, Tracee& tracee) {
  if (stops_at_all_) {
    // Which end it is cannot be counted: the call before may have had no stop at its end.
    auto info = get_call_info(tid);
    if (!info) return;
    tracee.has_entry_stop = info->op == PTRACE_SYSCALL_INFO_ENTRY;
    if (tracee.has_entry_stop) return handle_entry(tid, tracee);
    if (tracee.phase == Phase::kUser) return let_run(tid, tracee);
  }
  if (tracee.phase == Phase::kUser) return handle_entry(tid, tracee);
  restore(tid, tracee);
  int64_t result = 0;
  if (tracee.is_told) {
    auto info = get_call_info(tid);
    if (!info) return;
    result = info->exit.rval;
  }
  tell_return(tid, tracee, result);
  let_run(tid, tracee);
}

void HostTracer::handle_birth(pid_t tid) {
  auto message = get_event_message(tid);
  if (!message) return;
  const auto child = static_cast<pid_t>(*message);
  tracees_.try_emplace(child);
  if (is_started_) {
    shared_cpu_.note_birth(tid, child);
  } else {
    placement_.note_birth(tid, child);
  }
  observer_.on_birth(tid, child);
  let_run(tid, tracees_.at(tid));
}

// The thread that made it has its group's id now; the others are gone without a word.
void HostTracer::handle_exec(pid_t tid) {
  auto former = get_event_message(tid);
  if (!former) return;
  const auto maker = static_cast<pid_t>(*former);
  has_executed_ = true;
  if (maker != tid) {
    forget_question(tid, tracees_[tid]);
    tracees_[tid] = tracees_[maker];
    tracees_.erase(maker);
  }
  shared_cpu_.note_exec(maker, tid);
  observer_.on_exec(maker, tid);
  Tracee& tracee = tracees_[tid];
  tracee.held.reset();
  tracee.altered.reset();
  if (!filter_.empty()) tracee.phase = Phase::kUser;  // nothing is left to be told of it
  let_run(tid, tracee);
}

void HostTracer::handle_signal(pid_t tid, int signal) {
  siginfo_t info{};
  auto registers = get_registers(tid);
  if (!registers || ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) < 0) return;
  if (has_begun_) observer_.on_signal(tid, info, *registers);
  let_run(tid, tracees_.at(tid), signal);
}

void HostTracer::handle_event_stop(pid_t tid, Tracee& tracee, int signal) {
  const bool is_first = tracee.awaits_stop;
  tracee.awaits_stop = false;
  if (signal == SIGTRAP) return let_run(tid, tracee);
  if (!is_first) observer_.on_group_stop(tid, signal);
  (void)leave_stopped(tid);
}

// ---- results without a stop ----

void HostTracer::ask_tap(pid_t tid, Tracee& tracee) {
  if (!tap_->ask(tid, observer_.outputs_of(tid))) return;
  tracee.is_noted = true;
  ++questions_;
}

void HostTracer::forget_question(pid_t tid, Tracee& tracee) {
  tracee.uncertain.reset();
  if (!std::exchange(tracee.is_noted, false)) return;
  tap_->drop(tid);
  --questions_;
}

// Before anything later is told.
void HostTracer::tell_noted() {
  while (auto noted = tap_->next()) {
    auto found = tracees_.find(noted->tid);
    if (found == tracees_.end() || !found->second.is_noted) continue;
    if (was_interrupted(noted->result)) {
      found->second.uncertain = {noted->tid, noted->result, noted->time_ns, {}};  // it wrote nothing
    } else {
      tell_result(found->second, *noted);
    }
  }
}

void HostTracer::tell_result(Tracee& tracee, const ResultTap::Noted& noted) {
  const ResultTap::Noted copy = noted;
  tracee.uncertain.reset();
  tracee.is_noted = tracee.is_told = false;
  tracee.phase = Phase::kUser;
  --questions_;
  observer_.on_result(copy.tid, copy.result, copy.time_ns, copy.outputs);
}

// A result is told soon even when no thread stops for long.
void HostTracer::see_to_results() {
  constexpr uint64_t kSoon_ns = 50'000'000;
  if (questions_ == 0 || is_look_due_.exchange(true)) return;
  delayed_.after(kSoon_ns, [this] {
    is_look_due_ = false;
    wants_attention_ = 1;
    syscall(SYS_tgkill, getpid(), tracer_tid_, wake_signal());
  });
}

// ---- ending ----

void HostTracer::request_detach() {
  is_detaching_ = 1;
  wants_attention_ = 1;
  syscall(SYS_tgkill, getpid(), tracer_tid_, wake_signal());
}

void HostTracer::interrupt_all() {
  has_interrupted_ = true;
  shared_cpu_.end();
  std::erase_if(tracees_, [](const auto& entry) {
    // One that is held stopped would not stop once more.
    if (entry.second.held) return ptrace(PTRACE_DETACH, entry.first, nullptr, 0L) == 0;
    (void)ptrace(PTRACE_INTERRUPT, entry.first, nullptr, nullptr);
    return false;
  });
}

// In any stop. A signal that was on its way is delivered; a stop by job control stays. A call that waits is
// made again, as the program asked for it.
void HostTracer::let_go(pid_t tid, WaitStatus status, int event) {
  restore(tid, tracees_.at(tid));
  const long signal = event == 0 && status.signal() != (SIGTRAP | 0x80) ? status.signal() : 0;
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
    // The child is traced too and will stop.
    if (auto child = get_event_message(tid)) tracees_.try_emplace(static_cast<pid_t>(*child));
  }
  (void)ptrace(PTRACE_DETACH, tid, nullptr, signal);
  tracees_.erase(tid);
}

}  // namespace sandbox::platform
