// Tracer: execs, from the decision at the call to the program that runs.
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "platform/loader/loader_abi.h"
#include "platform/process_memory.h"
#include "platform/tracer.h"
#include "sandbox/check.h"

namespace sandbox::platform {

namespace {

// The loader's path is written this far below the stack pointer: just under the 128 bytes that the x86-64 ABI
// lets a leaf function use there. Not further: the stacks of Go's goroutines are small.
constexpr uint64_t kBelowRedZone = 128 + 16;

}  // namespace

void Tracer::fail_exec(pid_t tid, const Registers& registers, Errno error) {
  tell_return(tid, static_cast<uint32_t>(registers.orig_rax), error.as_return());
  fail_call(tid, registers, error);
}

// Two threads of a process in execve at once: which of them came through could not be told afterwards.
bool Tracer::is_other_exec_undecided(pid_t tid, pid_t tgid) const {
  return std::any_of(tracees_.begin(), tracees_.end(), [&](const auto& entry) {
    return entry.first != tid && entry.second.tgid == tgid && entry.second.exec.has_value();
  });
}

void Tracer::retry_delayed_exec(pid_t tgid) {
  for (auto& [tid, tracee] : tracees_) {
    if (tracee.tgid != tgid || !tracee.awaits_other_exec) continue;
    tracee.awaits_other_exec = false;
    return handle_seccomp(tid);
  }
}

void Tracer::handle_exec(pid_t tid, const Registers& registers) {
  Tracee& tracee = tracees_.at(tid);
  if (is_other_exec_undecided(tid, tracee.tgid)) {
    tracee.awaits_other_exec = true;
    return;
  }
  if (tracee.installs_filter) {
    auto ready = engine_->on_first_exec(tid, registers);
    if (!ready) return fail_call(tid, registers, ready.error());
    tracee.installs_filter = false;
  }
  tell_call(tid, registers);
  const auto wanted = take_intervention(tid);
  if (!wanted) return let_exec(tid, registers);
  if (wanted->signal != 0) syscall(SYS_tgkill, tracee.tgid, tid, wanted->signal);
  go_on_after(tid, wanted->delay_ns, [this, tid, registers, result = wanted->result] {
    if (!result) return let_exec(tid, registers);
    tell_return(tid, static_cast<uint32_t>(registers.orig_rax), *result);
    answer_call(tid, registers, *result);
  });
}

// Asks the sentry, and points the call at the loader.
void Tracer::let_exec(pid_t tid, const Registers& registers) {
  ProcessMemory memory(tid);
  auto decision = supervisor_.on_exec(event_of(tid, registers), memory);
  if (!decision) return fail_exec(tid, registers, decision.error());

  // The kernel reads this path, argv and environment from memory that other threads may change: in the empty
  // root a changed path finds nothing, and the strings are the program's own business.
  Registers changed = registers;
  uint64_t path = 0;
  static_assert(sizeof kLoaderPath <= sizeof path);
  std::memcpy(&path, kLoaderPath, sizeof kLoaderPath);
  // The number stays: a filter of the workload's own is asked about the call once more. No flag does: with
  // AT_EMPTY_PATH the descriptor would be executed should the path vanish.
  const uint64_t where = registers.rsp - kBelowRedZone;
  if (registers.orig_rax == SYS_execveat) {
    changed.rdi = static_cast<uint64_t>(AT_FDCWD);
    changed.rsi = where;
    changed.r8 = 0;
  } else {
    changed.rdi = where;
  }
  if (auto poked = poke(tid, where, path); !poked) {
    return fail_exec(tid, registers, Errno(poked.error() == Errno(ESRCH) ? ESRCH : EFAULT));
  }
  if (!set_registers(tid, changed)) return;
  tracees_.at(tid).exec = ExecAttempt{registers};
  (void)let_finish(tid);
}

// An exec came through. When another thread than the leader made it, it now has the leader's id, and the old
// ids of the group vanish without a word of their own. The number of the call.
uint64_t Tracer::finish_exec(pid_t tgid) {
  if (tgid == process_.first_tid) first_has_executed_ = true;
  std::vector<pid_t> stale;
  std::optional<uint64_t> number;
  pid_t maker = tgid;
  for (auto& [tid, tracee] : tracees_) {
    if (tracee.tgid != tgid) continue;
    if (tracee.exec) {
      number = tracee.exec->original.orig_rax;
      maker = tid;
    }
    tracee.exec.reset();
    tracee.is_observed = false;
    tracee.altered.reset();
    tracee.hold = 0;
    if (tid != tgid) stale.push_back(tid);
  }
  SANDBOX_CHECK(number.has_value(), "a process executed something without asking");
  if (shares_cpu_) shared_cpu_.note_exec(maker, tgid);
  for (pid_t tid : stale) {
    tracees_.erase(tid);
    shared_cpu_.note_death(tid);
    engine_->on_thread_gone(tid);
  }
  tracees_.at(tgid).is_loading = observer() != nullptr || enforcement_ != nullptr;
  if (CallObserver* told = observer()) told->on_exec(maker, tgid);
  std::lock_guard lock(exec_mutex_);
  completed_execs_.insert(tgid);
  return *number;
}

bool Tracer::take_completed_exec(pid_t tgid) {
  std::lock_guard lock(exec_mutex_);
  return completed_execs_.erase(tgid) > 0;
}

}  // namespace sandbox::platform
