// Both ends of a message of descriptors.
#include "platform/descriptor_message.h"

#include <cstring>

#include "sandbox/check.h"

namespace sandbox::platform {

namespace {
// The structures are written right under the ABI's red zone: the stacks of Go's goroutines are small.
constexpr uint64_t kRedZone = 128;
}  // namespace

Result<void> send_descriptors(int socket, std::span<const int> fds) {
  SANDBOX_CHECK(!fds.empty(), "no descriptor is sent");
  constexpr std::byte kByte{};
  return send_message(socket, std::span(&kByte, 1), fds, MSG_DONTWAIT);
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
