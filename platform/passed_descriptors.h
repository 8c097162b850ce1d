// Descriptors that travel over a socket beside the bytes of a message: SCM_RIGHTS of unix(7).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

inline constexpr size_t kMaxPassedDescriptors = 4;  // in one message

// Sends one message: at least one byte, and at most kMaxPassedDescriptors descriptors of any kind, O_PATH
// ones too. `flags` are sendmsg's; no SIGPIPE is raised. Errors: those of sendmsg(2) but EINTR.
Result<void> send_message(int socket, std::span<const std::byte> bytes, std::span<const int> fds,
                          int flags = 0);

struct ReceivedMessage {
  size_t size = 0;            // in bytes; 0: the other end is closed
  std::vector<UniqueFd> fds;  // each closed on exec
};

// Waits for a message, of which no more than fits into `bytes` is kept, and no more descriptors than
// kMaxPassedDescriptors. Errors: those of recvmsg(2) but EINTR.
Result<ReceivedMessage> receive_message(int socket, std::span<std::byte> bytes);

}  // namespace sandbox::platform
