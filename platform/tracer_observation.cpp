// Tracer: who is told of calls and signals: the observer of a trace, and a seccomp profile.
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "platform/filter.h"
#include "platform/loader/loader_abi.h"
#include "platform/process_memory.h"
#include "platform/tracer.h"

namespace sandbox::platform {

void Tracer::tell_against_profile(const SyscallEvent& event, const ProfileAction& action,
                                  const Registers& registers) {
  ProcessMemory memory(event.host_tid);
  if (enforcement_->tell(event, memory, action) == ProfileObserver::Interest::kRegisters)
    enforcement_->observer->on_registers(event.host_tid, registers);
}

// A thread that waits for an answer ends its wait for nothing else, so it stops when it has it.
void Tracer::tell_registers_after(pid_t tid) {
  run_on_tracer([this, tid] {
    auto found = tracees_.find(tid);
    if (found != tracees_.end() && ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) == 0)
      found->second.owes_registers = true;
  });
}

void Tracer::tell_owed_registers(pid_t tid) {
  if (!std::exchange(tracees_.at(tid).owes_registers, false)) return;
  if (auto registers = get_registers(tid)) enforcement_->observer->on_registers(tid, *registers);
}

// Whether it is, and the thread goes on.
bool Tracer::refuse_by_profile(pid_t tid, const Registers& registers) {
  if (enforcement_ == nullptr) return false;
  Tracee& tracee = tracees_.at(tid);
  const SyscallEvent event = event_of(tid, registers);
  // Asked whatever the stop's message says: a filter of the workload's own may stand in front of the profile.
  const ProfileAction action = enforcement_->profile.decide(event);
  if (action.kind == ProfileAction::Kind::kAllow || tracee.is_loading) return false;
  tell_against_profile(event, action, registers);
  if (action.kind == ProfileAction::Kind::kLog) return false;
  tell_call(tid, registers);
  if (action.kind == ProfileAction::Kind::kErrno) {
    const Errno error(action.error);
    tell_return(tid, event.number, error.as_return());
    fail_call(tid, registers, error);
    return true;
  }
  tracee.refused_number = registers.orig_rax;
  Registers changed = registers;
  changed.orig_rax = SeccompFilter::number_that_meets(action);
  if (set_registers(tid, changed)) let_run(tid);
  return true;
}

// A SIGSYS may be the profile's: it is told of, and says the number that the program called.
void Tracer::tell_profile_signal(pid_t tid, siginfo_t& info, Registers& registers) {
  Tracee& tracee = tracees_.at(tid);
  if (tracee.refused_number) {
    info.si_syscall = static_cast<int>(*tracee.refused_number);
    registers.rax = *tracee.refused_number;
    registers.orig_rax = *tracee.refused_number;
    tracee.refused_number.reset();
    (void)ptrace(PTRACE_SETSIGINFO, tid, nullptr, &info);
    (void)set_registers(tid, registers);
    return;
  }
  SyscallEvent event = event_of(tid, registers);
  event.number = static_cast<uint32_t>(info.si_syscall);
  const ProfileAction action = enforcement_->profile.decide(event);
  if (action.kind == ProfileAction::Kind::kTrap) tell_against_profile(event, action, registers);
}

// Killed by the profile, perhaps: of all threads that then die only one was in such a call.
void Tracer::handle_exiting(pid_t tid) {
  auto message = get_event_message(tid);
  auto registers = get_registers(tid);
  auto found = tracees_.find(tid);
  const bool was_told = found != tracees_.end() && found->second.refused_number;
  if (message && registers && !was_told && WIFSIGNALED(*message) && WTERMSIG(*message) == SIGSYS) {
    const SyscallEvent event = event_of(tid, *registers);
    const ProfileAction action = enforcement_->profile.decide(event);
    using Kind = ProfileAction::Kind;
    if (action.kind == Kind::kKillThread || action.kind == Kind::kKillProcess)
      tell_against_profile(event, action, *registers);
  }
  let_run(tid);
}

// Whether the stop is one that only the trace or the profile asked for, and is dealt with.
bool Tracer::observe_call(pid_t tid, const Registers& registers) {
  // A filter of the workload's own has words of its own for the tracer.
  auto message = get_event_message(tid);
  if (!message || (*message != kTracedCall && *message != SeccompFilter::kProfileCall)) return false;
  const SyscallEvent event = event_of(tid, registers);
  const Action action = decide_call(kind_, event.number, event.args);
  if (action.kind != Action::Kind::kPass && action.kind != Action::Kind::kDeny) return false;
  Tracee& tracee = tracees_.at(tid);
  const bool is_shown =
      observation_ != nullptr && !tracee.is_loading && observation_->traced.contains(event.number);
  if (tracee.is_loading && event.number == SYS_munmap && event.args[1] == kScratchSize) {
    tracee.is_loading = false;
  }
  const auto interest = is_shown ? tell_call(tid, registers) : CallObserver::Interest::kNone;
  const auto wanted = is_shown ? take_intervention(tid) : std::nullopt;
  const auto go_on = [=, this, is_told = interest != CallObserver::Interest::kNone] {
    auto result = wanted ? wanted->result : std::nullopt;
    if (!result && action.kind == Action::Kind::kDeny) result = Errno(action.errno_value).as_return();
    if (result) {
      if (is_shown) tell_return(tid, event.number, *result);
      return answer_call(tid, registers, *result);
    }
    if (wanted && alter(tid, registers, *wanted)) return (void)let_finish(tid);
    tracees_.at(tid).is_observed = is_told;
    if (!is_told) return let_run(tid);
    (void)let_finish(tid);
  };
  if (wanted && wanted->signal != 0) syscall(SYS_tgkill, tracee.tgid, tid, wanted->signal);
  go_on_after(tid, wanted ? wanted->delay_ns : 0, go_on);
  return true;
}

std::optional<Intervention> Tracer::take_intervention(pid_t tid) {
  return observation_ != nullptr ? observation_->observer.take_intervention(tid) : std::nullopt;
}

// Whether the call's end is then to be waited for.
bool Tracer::alter(pid_t tid, const Registers& registers, const Intervention& wanted) {
  Registers changed = registers;
  auto altered = AlteredCall::with_arguments(wanted, event_of(tid, registers), changed);
  if (!altered || !set_registers(tid, changed)) return false;
  tracees_.at(tid).altered = std::move(altered);
  tracees_.at(tid).is_observed = true;
  return true;
}

void Tracer::let_altered_call_run(pid_t tid, const Registers& registers, const Intervention& wanted) {
  if (!alter(tid, registers, wanted)) return let_call_run(tid, static_cast<uint32_t>(registers.orig_rax));
  (void)let_finish(tid);
}

// A thread that is stopped stays so meanwhile; others go on.
void Tracer::go_on_after(pid_t tid, uint64_t delay_ns, std::function<void()> go_on) {
  if (delay_ns == 0) return go_on();
  const uint64_t hold = tracees_.at(tid).hold = ++last_hold_;
  delayed_.after(delay_ns, [this, tid, hold, go_on = std::move(go_on)] {
    post([this, tid, hold, go_on] {
      // It may have been killed, or its place taken by another thread's exec.
      auto found = tracees_.find(tid);
      if (found == tracees_.end() || found->second.hold != hold) return;
      found->second.hold = 0;
      go_on();
    });
  });
}

void Tracer::observe_return(pid_t tid, Registers registers) {
  Tracee& tracee = tracees_.at(tid);
  tracee.is_observed = false;
  ProcessMemory memory(tid);
  observation_->observer.on_return(tid, static_cast<int64_t>(registers.rax), memory);
  if (auto altered = std::exchange(tracee.altered, std::nullopt)) {
    altered->restore(registers);
    if (!set_registers(tid, registers)) return;
  }
  let_run(tid);
}

void Tracer::let_call_run(pid_t tid, uint32_t number) {
  auto found = tracees_.find(tid);
  if (observation_ == nullptr || !observation_->traced.contains(number) || found == tracees_.end()) {
    return let_run(tid);
  }
  found->second.is_observed = true;
  (void)let_finish(tid);
}

CallObserver::Interest Tracer::tell_call(pid_t tid, const Registers& registers) {
  const SyscallEvent event = event_of(tid, registers);
  if (observation_ == nullptr || !observation_->traced.contains(event.number)) {
    return CallObserver::Interest::kNone;
  }
  ProcessMemory memory(tid);
  return observation_->observer.on_call(event, memory, &registers);
}

void Tracer::tell_return(pid_t tid, uint32_t number, int64_t result) {
  if (observation_ == nullptr || !observation_->traced.contains(number)) return;
  ProcessMemory memory(tid);
  observation_->observer.on_return(tid, result, memory);
}

}  // namespace sandbox::platform
