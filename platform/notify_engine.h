// NotifyEngine: emulated calls by SECCOMP_RET_USER_NOTIF, everything else by the tracer.
#pragma once

#include <list>

#include "platform/notify_listener.h"
#include "platform/path_descriptors.h"
#include "platform/tracer.h"

namespace sandbox::platform {

class NotifyEngine final : public TracerEngine {
 public:
  NotifyEngine(Tracer& tracer, Supervisor& supervisor)
      : tracer_(tracer), supervisor_(supervisor), path_descriptors_(tracer) {}

  Result<void> on_first_exec(pid_t tid, const Registers& registers) override;
  void on_seccomp_stop(pid_t tid, const Registers& registers) override;
  Change on_signal_stop(pid_t tid, Registers& registers) override;
  void on_trap_stop(pid_t tid) override { path_descriptors_.on_trap_stop(tid); }
  void on_thread_gone(pid_t tid) override { path_descriptors_.on_thread_gone(tid); }

 private:
  void on_call(InterceptedCall& call);

  Tracer& tracer_;
  Supervisor& supervisor_;
  PathDescriptors path_descriptors_;
  std::list<NotifyListener> listeners_;  // one for each process that began outside and joined
};

}  // namespace sandbox::platform
