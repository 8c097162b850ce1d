// The part of the tracer that watches a workload which runs already: from stops at every call's entry and
// exit.
#include <linux/audit.h>
#include <sys/syscall.h>

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
  run_on_tracer([this] { watch_.reset(); });
}

// Whether the stop is one that only a watch asked for, and is dealt with.
bool Tracer::handle_watched_stop(pid_t tid, const Registers& registers) {
  auto info = get_call_info(tid);
  if (!info) return true;  // killed
  if (info->op == PTRACE_SYSCALL_INFO_ENTRY) {
    tell_watched_entry(tid, registers, *info);
  } else if (is_end_of_exec(tid, registers)) {
    return false;
  } else {
    tell_watched_return(tid, static_cast<int64_t>(registers.rax));
  }
  let_run(tid);
  return true;
}

void Tracer::tell_watched_entry(pid_t tid, const Registers& registers, const CallInfo& info) {
  Tracee& tracee = tracees_.at(tid);
  tracee.is_past_exit = false;
  if (!watch_) return;
  SyscallEvent event = event_of(tid, registers);
  if (info.arch != AUDIT_ARCH_X86_64) event.number |= kForeignCall;
  if (tracee.is_loading && event.number == SYS_munmap && event.args[1] == kScratchSize) {
    tracee.is_loading = false;
    return;
  }
  // A process that the watch found in the loader shows the rest of its calls, but never this one.
  const bool is_own = tracee.is_loading || is_loader_call(event);
  if (is_own || !watch_->traced.contains(event.number)) return;
  ProcessMemory memory(tid);
  (void)watch_->observer.on_call(event, memory, &registers);
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
