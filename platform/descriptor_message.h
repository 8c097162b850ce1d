// DescriptorMessage: descriptors on their way into a stopped thread, which is made to call recvmsg for them.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <span>
#include <vector>

#include "platform/passed_descriptors.h"
#include "platform/ptrace_requests.h"
#include "sandbox/guest_memory.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// Sends descriptors, from 1 to kMaxPassedDescriptors, and never waits. Errors: those of send_message.
Result<void> send_descriptors(int socket, std::span<const int> fds);

// What recvmsg works on in the thread's memory, below its stack pointer. A thread beside it that changes this
// while the kernel reads it can only spoil its own process's result.
class ReceiveArea {
 public:
  ReceiveArea(pid_t tid, GuestMemory& memory, const Registers& registers);
  // Errors: EFAULT, ESRCH.
  Result<void> write();
  uint64_t address() const { return address_; }  // of the msghdr
  // The numbers that `count` descriptors got, once the thread has called recvmsg. Errors: EMFILE, EFAULT.
  Result<std::vector<int>> read_numbers(size_t count);

 private:
  struct Layout {
    msghdr message;
    iovec data;
    uint64_t byte;
    alignas(16) char control[CMSG_SPACE(kMaxPassedDescriptors * sizeof(int))];
  };
  pid_t tid_;
  GuestMemory& memory_;
  uint64_t address_;
};

}  // namespace sandbox::platform
