// ForwardingSupervisor: passes every event on; those that have something to add override it.
#pragma once

#include "platform/platform.h"

namespace sandbox::platform {

class ForwardingSupervisor : public Supervisor {
 public:
  // `inner` outlives it.
  explicit ForwardingSupervisor(Supervisor& inner) : inner_(inner) {}

  void on_syscall(InterceptedCall& call) override { inner_.on_syscall(call); }
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

 protected:
  Supervisor& inner_;
};

}  // namespace sandbox::platform
