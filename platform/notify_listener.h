// NotifyListener: the SECCOMP_RET_USER_NOTIF side of the notify engine; receives calls and carries answers
// back.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "platform/intercepted_call.h"
#include "platform/path_descriptors.h"
#include "platform/placement.h"
#include "platform/process_memory.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// Owns the listener of the workload's filter and the threads that serve it. The Linux side is
// seccomp_unotify(2).
class NotifyListener {
 public:
  using Handler = std::function<void(InterceptedCall&)>;

  NotifyListener() = default;
  ~NotifyListener() { stop(); }
  NotifyListener(const NotifyListener&) = delete;
  NotifyListener& operator=(const NotifyListener&) = delete;

  // Begins to serve with so many threads. `handler` is called by all of them.
  void start(UniqueFd listener, size_t worker_count, PathDescriptors& path_descriptors, Handler handler);
  // Nobody uses the filter any more.
  bool has_ended() const { return running_workers_ == 0; }
  // Ends the threads; calls that still wait are never answered. Not from a handler.
  void stop();

 private:
  void serve();
  bool wait_after_nothing();

  std::shared_ptr<UniqueFd> listener_;
  PathDescriptors* path_descriptors_ = nullptr;
  Handler handler_;
  std::vector<std::thread> workers_;
  std::atomic<size_t> running_workers_{0};
  std::atomic<bool> is_stopping_{false};
};

class NotifyCall final : public InterceptedCall {
 public:
  // Shares the listener, because a parked call may outlive the engine. `placement` is the worker's, or null.
  NotifyCall(std::shared_ptr<UniqueFd> listener, PathDescriptors& path_descriptors, uint64_t id,
             const SyscallEvent& event, InstallPlacement* placement)
      : listener_(std::move(listener)),
        path_descriptors_(path_descriptors),
        id_(id),
        memory_(event.host_tid),
        placement_(placement) {
    event_ = event;
  }
  ~NotifyCall() override;

  GuestMemory& memory() override { return memory_; }
  bool is_waiting() override;
  void reply(int64_t value) override;
  void run_natively() override;
  Result<int> install(int fd, CloseOnExec close_on_exec) override;
  void reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) override;
  std::unique_ptr<InterceptedCall> park() override;

  // Answered or parked.
  bool is_settled() const { return is_settled_; }

 private:
  enum class AfterInstall { kStillWaits, kAnswered };
  Result<int> add_descriptor(int fd, CloseOnExec close_on_exec, AfterInstall after);
  void send(int64_t value, int32_t error, uint32_t flags);
  Result<void> reply_with_path_fd(UniqueFd fd, CloseOnExec close_on_exec);

  std::shared_ptr<UniqueFd> listener_;
  PathDescriptors& path_descriptors_;
  uint64_t id_;
  ProcessMemory memory_;
  InstallPlacement* placement_;
  bool is_settled_ = false;
};

}  // namespace sandbox::platform
