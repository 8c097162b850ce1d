// Both ends of a message of descriptors.
#include "platform/descriptor_message.h"

#include <algorithm>
#include <cstring>

#include "sandbox/check.h"

namespace sandbox::platform {

namespace {
// The structures are written right under the ABI's red zone: the stacks of Go's goroutines are small.
constexpr uint64_t kRedZone = 128;
}  // namespace

Result<void> send_descriptors(int socket, std::span<const int> fds) {
  SANDBOX_CHECK(!fds.empty() && fds.size() <= kMaxPassedDescriptors, "too many descriptors for one call");
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedDescriptors * sizeof(int))] = {};
  char byte = 0;
  iovec data{&byte, 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  auto* numbers = reinterpret_cast<int*>(CMSG_DATA(header));
  std::ranges::copy(fds, numbers);
  return host_status(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ReceiveArea::ReceiveArea(pid_t tid, GuestMemory& memory, const Registers& registers)
    : tid_(tid), memory_(memory), address_((registers.rsp - kRedZone - sizeof(Layout)) & ~uint64_t{15}) {}

Result<void> ReceiveArea::write() {
  Layout area{};
  area.data = {reinterpret_cast<void*>(address_ + offsetof(Layout, byte)), 1};
  area.message.msg_iov = reinterpret_cast<iovec*>(address_ + offsetof(Layout, data));
  area.message.msg_iovlen = 1;
  area.message.msg_control = reinterpret_cast<void*>(address_ + offsetof(Layout, control));
  area.message.msg_controllen = sizeof area.control;
  auto bytes = std::as_bytes(std::span(&area, 1));
  if (memory_.write_bytes(address_, bytes)) return {};
  // The stack may have to grow first, which only an access like the thread's own does.
  TRY(poke(tid_, address_, 0));
  return memory_.write_bytes(address_, bytes);
}

Result<std::vector<int>> ReceiveArea::read_numbers(size_t count) {
  Layout area;
  TRY(memory_.read_bytes(address_, std::as_writable_bytes(std::span(&area, 1))));
  if (area.message.msg_flags & MSG_CTRUNC) return err(EMFILE);
  std::vector<int> numbers(count);
  std::memcpy(numbers.data(), area.control + CMSG_LEN(0), count * sizeof(int));
  return numbers;
}

}  // namespace sandbox::platform
