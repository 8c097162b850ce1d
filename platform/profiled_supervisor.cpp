// Asking the profile about a notification.
#include "platform/profiled_supervisor.h"

#include "platform/tracer.h"

namespace sandbox::platform {

void ProfiledSupervisor::on_syscall(InterceptedCall& call) {
  const ProfileAction action = enforcement_.profile.decide(call.event());
  if (action.kind == ProfileAction::Kind::kAllow) return inner_.on_syscall(call);
  const auto interest = enforcement_.tell(call.event(), call.memory(), action);
  if (interest == ProfileObserver::Interest::kRegisters) tracer_->tell_registers_after(call.event().host_tid);
  if (action.kind == ProfileAction::Kind::kLog) return inner_.on_syscall(call);
  // The kernel itself has dealt with everything stricter.
  call.reply(-static_cast<int64_t>(action.error != 0 ? action.error : EPERM));
}

}  // namespace sandbox::platform
