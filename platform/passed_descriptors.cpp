// sendmsg and recvmsg with one control message.
#include "platform/passed_descriptors.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "sandbox/check.h"

namespace sandbox::platform {

namespace {

constexpr size_t kMaxControl = CMSG_SPACE(kMaxPassedDescriptors * sizeof(int));

}  // namespace

Result<void> send_message(int socket, std::span<const std::byte> bytes, std::span<const int> fds, int flags) {
  SANDBOX_CHECK(fds.size() <= kMaxPassedDescriptors, "too many descriptors for one message");
  // sendmsg takes it without const, and only reads it.
  iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[kMaxControl] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return host_status(sent);
}

Result<ReceivedMessage> receive_message(int socket, std::span<std::byte> bytes) {
  iovec data{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[kMaxControl];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return last_error();
  ReceivedMessage received{.size = static_cast<size_t>(size), .fds = {}};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    return received;
  int numbers[kMaxPassedDescriptors];
  const size_t size_of_all = std::min<size_t>(header->cmsg_len - CMSG_LEN(0), sizeof numbers);
  std::memcpy(numbers, CMSG_DATA(header), size_of_all);
  for (size_t i = 0; i < size_of_all / sizeof(int); ++i) received.fds.emplace_back(numbers[i]);
  return received;
}

}  // namespace sandbox::platform
