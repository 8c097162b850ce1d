// Both ends of a message of descriptors.
#include "platform/descriptor_message.h"

#include <cstring>

#include "platform/stack_room.h"
#include "sandbox/check.h"

namespace sandbox::platform {

Result<void> send_descriptors(int socket, std::span<const int> fds) {
  SANDBOX_CHECK(!fds.empty(), "no descriptor is sent");
  constexpr std::byte kByte{};
  return send_message(socket, std::span(&kByte, 1), fds, MSG_DONTWAIT);
}

ReceiveArea::ReceiveArea(pid_t tid, GuestMemory& memory, const Registers& registers)
    : tid_(tid), memory_(memory), address_(stack_room(registers, sizeof(Layout))) {}

Result<void> ReceiveArea::write() {
  Layout area{};
  area.data = {reinterpret_cast<void*>(address_ + offsetof(Layout, byte)), 1};
  area.message.msg_iov = reinterpret_cast<iovec*>(address_ + offsetof(Layout, data));
  area.message.msg_iovlen = 1;
  area.message.msg_control = reinterpret_cast<void*>(address_ + offsetof(Layout, control));
  area.message.msg_controllen = sizeof area.control;
  return write_stack_room(tid_, memory_, address_, std::as_bytes(std::span(&area, 1)));
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
