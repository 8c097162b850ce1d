// ObservedSupervisor: tells a CallObserver of every emulated call on its way to the supervisor and back.
#pragma once

#include "platform/call_observer.h"
#include "platform/platform.h"

namespace sandbox::platform {

// Who watches what, on which engine.
struct Observation {
  CallObserver& observer;
  CallSet traced;
  EngineKind engine;
};

class ObservedSupervisor final : public Supervisor {
 public:
  // Both outlive it.
  ObservedSupervisor(Supervisor& inner, const Observation& observation)
      : inner_(inner), observation_(observation) {}

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
  const Observation& observation_;
};

}  // namespace sandbox::platform
