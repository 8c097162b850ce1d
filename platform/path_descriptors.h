// PathDescriptors: answers calls of the notify engine with O_PATH descriptors, which
// SECCOMP_IOCTL_NOTIF_ADDFD refuses.
#pragma once

#include <functional>
#include <unordered_map>

#include "platform/intercepted_call.h"
#include "platform/tracer.h"

namespace sandbox::platform {

// The thread gets a socket with the descriptor in it by ADDFD, and its call's answer with a PTRACE_INTERRUPT:
// at the stop on its way out it is made to receive, to put what it received in the socket's place and to
// close what is left. No user code runs in between.
class PathDescriptors {
 public:
  explicit PathDescriptors(Tracer& tracer) : tracer_(tracer) {}

  // The thread has the socket at `number`. `answer` sends that number as the call's result. From any thread.
  void deliver(pid_t tid, int number, CloseOnExec close_on_exec, std::function<void()> answer);

  // On the tracer's thread. Resumes the thread.
  void on_trap_stop(pid_t tid);
  void on_thread_gone(pid_t tid) { pending_.erase(tid); }

 private:
  struct Delivery {
    int number;
    CloseOnExec close_on_exec;
  };
  // The call's result. Errors: EMFILE; ESRCH: the thread is in another stop now, and is served there.
  Result<int> receive(pid_t tid, const Registers& registers, const Delivery& delivery);
  Result<int64_t> call(pid_t tid, const Registers& registers, uint64_t number, uint64_t first,
                       uint64_t second, uint64_t third);

  Tracer& tracer_;
  std::unordered_map<pid_t, Delivery> pending_;  // tracer's thread only
};

}  // namespace sandbox::platform
