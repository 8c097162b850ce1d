// ToySupervisor: the least that runs real programs on an engine; it opens host files directly and hides
// nothing.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "platform/platform.h"

namespace sandbox::platform {

class ToySupervisor final : public Supervisor {
 public:
  void on_syscall(InterceptedCall& call) override;
  Result<void> on_exec(const SyscallEvent& event, GuestMemory& memory) override;
  std::optional<ExecImage> take_exec_image(pid_t host_tgid) override;
  void on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) override;
  void on_thread_exit(pid_t host_tid, int wait_status) override;
  bool is_never_interrupted(pid_t, uint32_t) override { return true; }

  std::atomic<int> births{0}, deaths{0}, execs{0}, calls{0}, strangers{0};
  // Opens are answered from a thread of their own instead of the engine's.
  std::atomic<bool> parks_opens{false};

 private:
  struct Process {
    std::string cwd = "/";
    std::optional<ExecImage> pending;
  };
  int64_t answer(InterceptedCall& call, UniqueFd& installed);
  std::string place(pid_t tid, const std::string& path);
  Result<ExecImage> load(const std::string& path, std::vector<std::string> prefix, int depth);

  std::mutex mutex_;
  std::map<pid_t, pid_t> groups_;  // thread to process
  std::map<pid_t, Process> processes_;
};

}  // namespace sandbox::platform
