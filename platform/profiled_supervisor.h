// ProfiledSupervisor: answers emulated calls that a profile refuses, before the supervisor sees them.
#pragma once

#include "platform/forwarding_supervisor.h"
#include "platform/seccomp_profile.h"

namespace sandbox::platform {

// The profile a workload runs under, and who is told of calls against it.
struct Enforcement {
  const SeccompFilter& profile;
  ProfileObserver* observer;  // null: nobody

  using Interest = ProfileObserver::Interest;
  Interest tell(const SyscallEvent& event, GuestMemory& memory, const ProfileAction& action) const {
    return observer != nullptr ? observer->on_call_against_profile(event, memory, action) : Interest::kNone;
  }
};

class Tracer;

// For the notify engine, where a notification hides from the tracer what the profile says.
class ProfiledSupervisor final : public ForwardingSupervisor {
 public:
  // Both outlive it.
  ProfiledSupervisor(Supervisor& inner, const Enforcement& enforcement)
      : ForwardingSupervisor(inner), enforcement_(enforcement) {}
  // Which knows the registers; before the first call.
  void set_tracer(Tracer& tracer) { tracer_ = &tracer; }

  void on_syscall(InterceptedCall& call) override;

 private:
  const Enforcement& enforcement_;
  Tracer* tracer_ = nullptr;
};

}  // namespace sandbox::platform
