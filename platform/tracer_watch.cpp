// The part of the tracer that watches a workload which runs already: from stops at every call's entry and
// exit.
#include <linux/audit.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "platform/loader/loader_abi.h"
#include "platform/loader_call.h"
#include "platform/process_memory.h"
#include "platform/tracer.h"

namespace sandbox::platform {

CallObserver* Tracer::observer() const {
  if (observation_ != nullptr) return &observation_->observer;
  return watch_ ? &watch_->observer : nullptr;
}

Result<void> Tracer::watch(const Watch& watch) {
  Result<void> begun = err(ESRCH);
  run_on_tracer([&] {
    if (observer() != nullptr) {
      begun = err(EBUSY);
      return;
    }
    watch_.emplace(watch);
    has_watched_ = true;
    // Threads that run, or wait in a call, learn at this stop that they are to stop at calls.
    for (const auto& [tid, tracee] : tracees_) (void)ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    begun = {};
  });
  return begun;
}

void Tracer::unwatch() {
  // Each thread stops once more and then runs on without.
  run_on_tracer([this] {
    if (!watch_) return;
    watch_.reset();
    for (auto& [tid, tracee] : tracees_)
      if (std::exchange(tracee.hold, 0) != 0) let_run(tid);
  });
}

// Whether the stop is one that only a watch asked for, and is dealt with.
bool Tracer::handle_watched_stop(pid_t tid, const Registers& registers) {
  auto info = get_call_info(tid);
  if (!info) return true;  // killed
  if (info->op == PTRACE_SYSCALL_INFO_ENTRY) {
    handle_watched_entry(tid, registers, *info);
    return true;
  }
  if (is_end_of_exec(tid, registers)) return false;
  Registers after = registers;
  if (auto altered = std::exchange(tracees_.at(tid).altered, std::nullopt)) {
    altered->restore(after);
    if (!set_registers(tid, after)) return true;
  }
  tell_watched_return(tid, static_cast<int64_t>(after.rax));
  let_run(tid);
  return true;
}

void Tracer::handle_watched_entry(pid_t tid, const Registers& registers, const CallInfo& info) {
  tracees_.at(tid).is_past_exit = false;
  SyscallEvent event = event_of(tid, registers);
  if (info.arch != AUDIT_ARCH_X86_64) event.number = foreign_call(event.number);
  if (tell_watched_entry(tid, registers, event))
    if (auto wanted = watch_->observer.take_intervention(tid))
      return intervene_at_entry(tid, registers, event, *wanted);
  let_run(tid);
}

// Whether the observer was told.
bool Tracer::tell_watched_entry(pid_t tid, const Registers& registers, const SyscallEvent& event) {
  if (!watch_) return false;
  Tracee& tracee = tracees_.at(tid);
  if (tracee.is_loading && event.number == SYS_munmap && event.args[1] == kScratchSize) {
    tracee.is_loading = false;
    return false;
  }
  // A process that the watch found in the loader shows the rest of its calls, but never this one.
  const bool is_own = tracee.is_loading || is_loader_call(event);
  if (is_own || !watch_->traced.contains(event.number)) return false;
  ProcessMemory memory(tid);
  (void)watch_->observer.on_call(event, memory, &registers);
  return true;
}

// Before any filter sees the call. Whatever happens to the watch meanwhile, its end is a stop.
void Tracer::intervene_at_entry(pid_t tid, const Registers& registers, const SyscallEvent& event,
                                const Intervention& wanted) {
  if (wanted.signal != 0) syscall(SYS_tgkill, tracees_.at(tid).tgid, tid, wanted.signal);
  go_on_after(tid, wanted.delay_ns, [=, this] {
    Registers changed = registers;
    auto altered = wanted.result ? AlteredCall::with_result(*wanted.result, event, changed)
                                 : AlteredCall::with_arguments(wanted, event, changed);
    if (altered && !set_registers(tid, changed)) return;
    tracees_.at(tid).altered = std::move(altered);
    let_run(tid);
  });
}

// Of a call that nobody was told of the observer knows nothing, and ignores it.
void Tracer::tell_watched_return(pid_t tid, int64_t result) {
  if (!watch_) return;
  ProcessMemory memory(tid);
  watch_->observer.on_return(tid, result, memory);
}

void Tracer::note_answer(pid_t tid, int64_t result) {
  auto found = tracees_.find(tid);
  if (found != tracees_.end() && found->second.is_past_exit) tell_watched_return(tid, result);
}

// Whether the exit stop is that of an exec which was let through: its own failure, or its success, which
// comes out at the leader whoever made it.
bool Tracer::is_end_of_exec(pid_t tid, const Registers& registers) const {
  const Tracee& tracee = tracees_.at(tid);
  if (tracee.exec) return true;
  const bool may_be = registers.orig_rax == SYS_execve || registers.orig_rax == SYS_execveat;
  return may_be && registers.rax == 0 && is_other_exec_undecided(tid, tracee.tgid);
}

}  // namespace sandbox::platform
