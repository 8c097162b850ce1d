// ObservedSupervisor: tells a CallObserver of every emulated call on its way to the supervisor and back.
#pragma once

#include <memory>

#include "platform/call_observer.h"
#include "platform/delayed_work.h"
#include "platform/forwarding_supervisor.h"

namespace sandbox::platform {

// Who watches what, on which engine.
struct Observation {
  CallObserver& observer;
  CallSet traced;
  EngineKind engine;
  // For calls that are to take longer; stopped before the engine goes.
  std::shared_ptr<DelayedWork> delayed = std::make_shared<DelayedWork>();
};

class ObservedSupervisor final : public ForwardingSupervisor {
 public:
  // Both outlive it.
  ObservedSupervisor(Supervisor& inner, const Observation& observation)
      : ForwardingSupervisor(inner), observation_(observation) {}

  void on_syscall(InterceptedCall& call) override;

 private:
  void intervene(InterceptedCall& call, const Intervention& wanted);

  const Observation& observation_;
};

}  // namespace sandbox::platform
