// What the notify engine does at the tracer's stops and with each notification.
#include "platform/notify_engine.h"

#include "platform/loader_call.h"
#include "platform/pidfd.h"

namespace sandbox::platform {

namespace {
constexpr int64_t kRestartSys = -512, kRestartNoIntr = -513;  // ERESTARTSYS, ERESTARTNOINTR
}

// The launch passes the listener's number in r10, which execve does not use.
Result<void> NotifyEngine::on_first_exec(pid_t tid, const Registers& registers) {
  UniqueFd process = TRY(open_pidfd(tid));
  UniqueFd listener = TRY(copy_descriptor(process, static_cast<int>(registers.r10)));
  listeners_.remove_if([](const NotifyListener& one) { return one.has_ended(); });
  listeners_.emplace_back().start(std::move(listener), 1, path_descriptors_,
                                  [this](InterceptedCall& call) { on_call(call); });
  return {};
}

void NotifyEngine::on_call(InterceptedCall& call) {
  if (!is_loader_call(call.event())) return supervisor_.on_syscall(call);
  // Anybody may make this call; only after an exec is there a program to hand over.
  if (!tracer_.take_completed_exec(call.event().host_tid)) return call.reply(-ENOSYS);
  answer_loader_call(call, supervisor_, InstallRetry::kPossible);
}

// Only execs are traced. A filter of the workload's own said RET_TRACE: without a tracer that is ENOSYS.
void NotifyEngine::on_seccomp_stop(pid_t tid, const Registers& registers) {
  Registers changed = registers;
  changed.orig_rax = static_cast<uint64_t>(-1);
  changed.rax = static_cast<uint64_t>(-ENOSYS);
  if (set_registers(tid, changed)) tracer_.let_run(tid);
}

// A signal that came before the notification was received made the call return -ERESTARTSYS, which a handler
// without SA_RESTART turns into EINTR. Calls that Linux never interrupts are restarted whatever the handler.
TracerEngine::Change NotifyEngine::on_signal_stop(pid_t tid, Registers& registers) {
  if (static_cast<int64_t>(registers.rax) != kRestartSys || static_cast<int64_t>(registers.orig_rax) < 0) {
    return Change::kNone;
  }
  if (!supervisor_.is_never_interrupted(tid, static_cast<uint32_t>(registers.orig_rax))) return Change::kNone;
  registers.rax = static_cast<uint64_t>(kRestartNoIntr);
  return Change::kRegisters;
}

}  // namespace sandbox::platform
