// A call as the supervisor answers it, with an ear at the answer.
#include "platform/observed_supervisor.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sandbox::platform {

namespace {

class ObservedCall final : public InterceptedCall {
 public:
  ObservedCall(InterceptedCall& inner, CallObserver& observer, EngineKind engine, Intervention wanted)
      : inner_(&inner), observer_(observer), engine_(engine), wanted_(std::move(wanted)) {
    event_ = inner.event();
  }
  ObservedCall(std::unique_ptr<InterceptedCall> inner, CallObserver& observer, EngineKind engine,
               Intervention wanted)
      : ObservedCall(*inner, observer, engine, std::move(wanted)) {
    owned_ = std::move(inner);
  }

  GuestMemory& memory() override { return inner_->memory(); }
  bool is_waiting() override { return inner_->is_waiting(); }
  const user_regs_struct* registers() const override { return inner_->registers(); }

  void reply(int64_t value) override {
    tell(value);
    inner_->reply(value);
  }
  // On the ptrace engine the tracer waits for the call's end and tells of it.
  void run_natively() override {
    if (engine_ == EngineKind::kNotify) observer_.on_lost(event_.host_tid);
    inner_->run_altered(wanted_);
  }
  Result<int> install(int fd, CloseOnExec close_on_exec) override {
    return inner_->install(fd, close_on_exec);
  }
  Result<std::vector<int>> install_all(std::span<const int> fds, CloseOnExec close_on_exec) override {
    return inner_->install_all(fds, close_on_exec);
  }
  // In two steps: the number is to be known before the thread goes on.
  void reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) override {
    const int flags = fcntl(fd.get(), F_GETFL);
    if (engine_ == EngineKind::kNotify && flags >= 0 && (flags & O_PATH)) {
      observer_.on_lost(event_.host_tid);  // its number is chosen after this call
      return inner_->reply_with_fd(std::move(fd), close_on_exec);
    }
    auto number = inner_->install(fd.get(), close_on_exec);
    reply(number ? *number : number.error().as_return());
  }
  std::unique_ptr<InterceptedCall> park() override {
    return std::make_unique<ObservedCall>(inner_->park(), observer_, engine_, wanted_);
  }

 private:
  void tell(int64_t value) { observer_.on_return(event_.host_tid, value, inner_->memory()); }

  InterceptedCall* inner_;
  std::unique_ptr<InterceptedCall> owned_;  // of a parked call
  CallObserver& observer_;
  EngineKind engine_;
  const Intervention wanted_;
};

}  // namespace

void ObservedSupervisor::on_syscall(InterceptedCall& call) {
  if (!observation_.traced.contains(call.event().number)) return inner_.on_syscall(call);
  auto interest = observation_.observer.on_call(call.event(), call.memory(), call.registers());
  if (auto wanted = observation_.observer.take_intervention(call.event().host_tid))
    return intervene(call, *wanted);
  if (interest == CallObserver::Interest::kNone) return inner_.on_syscall(call);
  ObservedCall observed(call, observation_.observer, observation_.engine, {});
  inner_.on_syscall(observed);
}

// An observer that did not want to hear of the call's end does not mind.
void ObservedSupervisor::intervene(InterceptedCall& call, const Intervention& wanted) {
  const pid_t tid = call.event().host_tid;
  if (wanted.signal != 0) syscall(SYS_tkill, tid, wanted.signal);
  const auto go_on = [this, result = wanted.result](InterceptedCall& observed) {
    if (result) return observed.reply(*result);
    inner_.on_syscall(observed);
  };
  if (wanted.delay_ns == 0) {
    ObservedCall observed(call, observation_.observer, observation_.engine, wanted);
    return go_on(observed);
  }
  // Shared only because a std::function can be copied.
  auto waiting =
      std::make_shared<ObservedCall>(call.park(), observation_.observer, observation_.engine, wanted);
  observation_.delayed->after(wanted.delay_ns, [waiting, go_on] { go_on(*waiting); });
}

}  // namespace sandbox::platform
