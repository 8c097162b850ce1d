// Where it begins, and writing it.
#include "platform/stack_room.h"

namespace sandbox::platform {

uint64_t stack_room(const Registers& registers, size_t size) {
  constexpr uint64_t kRedZone = 128;
  return (registers.rsp - kRedZone - size) & ~uint64_t{15};
}

Result<void> write_stack_room(pid_t tid, GuestMemory& memory, uint64_t address,
                              std::span<const std::byte> bytes) {
  if (memory.write_bytes(address, bytes)) return {};
  TRY(poke(tid, address, 0));
  return memory.write_bytes(address, bytes);
}

}  // namespace sandbox::platform
