// PtraceEngine: emulated calls by SECCOMP_RET_TRACE stops, answered through the thread's registers.
#pragma once

#include <mutex>
#include <unordered_map>

#include "platform/process_memory.h"
#include "platform/tracer.h"

namespace sandbox::platform {

class PtraceCall;

class PtraceEngine final : public TracerEngine {
 public:
  PtraceEngine(Tracer& tracer, Supervisor& supervisor, const LaunchedProcess& process)
      : tracer_(tracer), supervisor_(supervisor), process_(process) {}

  Result<void> on_first_exec(pid_t, const Registers&) override { return {}; }
  void on_seccomp_stop(pid_t tid, const Registers& registers) override;
  Change on_signal_stop(pid_t tid, Registers& registers) override;
  void on_trap_stop(pid_t tid) override { tracer_.let_run(tid); }
  void on_thread_gone(pid_t tid) override;

 private:
  friend class PtraceCall;

  // From any thread.
  bool is_waiting(pid_t tid, uint64_t call_id);

  // The rest on the tracer's thread, for a call that waits.
  void finish(pid_t tid, Registers registers, int64_t value);
  void finish_natively(pid_t tid, uint64_t number);
  void finish_altered(pid_t tid, const Registers& registers, const Intervention& wanted);
  Result<std::vector<int>> receive(pid_t tid, const Registers& registers, std::span<const int> fds,
                                   CloseOnExec close_on_exec);
  void drain();
  void close_range_around(pid_t tid, const Registers& registers);

  Tracer& tracer_;
  Supervisor& supervisor_;
  const LaunchedProcess& process_;
  std::mutex mutex_;
  std::unordered_map<pid_t, uint64_t> waiting_;  // thread to the id of its call
  uint64_t next_call_id_ = 1;
  // Calls answered -ERESTARTSYS, to be completed at the signal's stop; tracer's thread only.
  std::unordered_map<pid_t, uint64_t> to_restart_;  // thread to system call number
};

class PtraceCall final : public InterceptedCall {
 public:
  PtraceCall(PtraceEngine& engine, uint64_t id, const SyscallEvent& event, const Registers& registers)
      : engine_(engine), id_(id), registers_(registers), memory_(event.host_tid) {
    event_ = event;
  }
  ~PtraceCall() override;

  GuestMemory& memory() override { return memory_; }
  const user_regs_struct* registers() const override { return &registers_; }
  bool is_waiting() override { return engine_.is_waiting(event_.host_tid, id_); }
  void reply(int64_t value) override;
  void run_natively() override;
  void run_altered(const Intervention& wanted) override;
  Result<int> install(int fd, CloseOnExec close_on_exec) override;
  Result<std::vector<int>> install_all(std::span<const int> fds, CloseOnExec close_on_exec) override;
  void reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) override;
  std::unique_ptr<InterceptedCall> park() override;

  bool is_settled() const { return is_settled_; }
  // The engine answers by itself.
  void settle() { is_settled_ = true; }

 private:
  struct Target;
  Target target() const;

  PtraceEngine& engine_;
  uint64_t id_;
  Registers registers_;
  ProcessMemory memory_;
  bool has_installed_ = false;
  bool is_settled_ = false;
};

}  // namespace sandbox::platform
