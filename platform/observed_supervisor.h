// ObservedSupervisor: tells a CallObserver of every emulated call on its way to the supervisor and back.
#pragma once

#include "platform/call_observer.h"
#include "platform/forwarding_supervisor.h"

namespace sandbox::platform {

// Who watches what, on which engine.
struct Observation {
  CallObserver& observer;
  CallSet traced;
  EngineKind engine;
};

class ObservedSupervisor final : public ForwardingSupervisor {
 public:
  // Both outlive it.
  ObservedSupervisor(Supervisor& inner, const Observation& observation)
      : ForwardingSupervisor(inner), observation_(observation) {}

  void on_syscall(InterceptedCall& call) override;

 private:
  const Observation& observation_;
};

}  // namespace sandbox::platform
