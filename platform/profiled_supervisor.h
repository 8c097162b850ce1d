// ProfiledSupervisor: answers emulated calls that a profile refuses, before the supervisor sees them.
#pragma once

#include "platform/platform.h"
#include "platform/seccomp_profile.h"

namespace sandbox::platform {

// The profile a workload runs under, and who is told of calls against it.
struct Enforcement {
  const SeccompFilter& profile;
  ProfileObserver* observer;  // null: nobody

  void tell(const SyscallEvent& event, GuestMemory& memory, const ProfileAction& action) const {
    if (observer != nullptr) observer->on_call_against_profile(event, memory, action);
  }
};

// For the notify engine, where a notification hides from the tracer what the profile says.
class ProfiledSupervisor final : public Supervisor {
 public:
  // Both outlive it.
  ProfiledSupervisor(Supervisor& inner, const Enforcement& enforcement)
      : inner_(inner), enforcement_(enforcement) {}

  void on_syscall(InterceptedCall& call) override;
  Result<void> on_exec(const SyscallEvent& event, GuestMemory& memory) override {
    return inner_.on_exec(event, memory);
  }
  std::optional<ExecImage> take_exec_image(pid_t host_tgid) override {
    return inner_.take_exec_image(host_tgid);
  }
  void on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) override {
    inner_.on_clone(host_parent_tid, host_tid, flags);
  }
  void on_thread_exit(pid_t host_tid, int wait_status) override {
    inner_.on_thread_exit(host_tid, wait_status);
  }
  bool is_never_interrupted(pid_t host_tid, uint32_t syscall_number) override {
    return inner_.is_never_interrupted(host_tid, syscall_number);
  }

 private:
  Supervisor& inner_;
  const Enforcement& enforcement_;
};

}  // namespace sandbox::platform
