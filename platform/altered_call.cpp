// Changing the registers of a call and taking the changes back.
#include "platform/altered_call.h"

#include <sys/syscall.h>

#include "platform/process_memory.h"
#include "platform/stack_room.h"

namespace sandbox::platform {

void AlteredCall::change(Registers& registers, size_t argument, uint64_t value) {
  unsigned long long& place = argument_of(registers, argument);
  former_.emplace_back(argument, place);
  place = value;
}

std::optional<AlteredCall> AlteredCall::with_arguments(const Intervention& wanted, const SyscallEvent& event,
                                                       Registers& registers) {
  AlteredCall call;
  if (wanted.argument) call.change(registers, wanted.argument->first, wanted.argument->second);
  if (!wanted.vector.empty()) {
    const auto bytes = std::as_bytes(std::span(wanted.vector));
    const uint64_t address = stack_room(registers, bytes.size());
    ProcessMemory memory(event.host_tid);
    if (write_stack_room(event.host_tid, memory, address, bytes)) {
      call.change(registers, Intervention::kVectorArgument, address);
      call.change(registers, Intervention::kVectorArgument + 1, wanted.vector.size());
    }
  }
  if (call.former_.empty()) return std::nullopt;
  return call;
}

AlteredCall AlteredCall::with_result(int64_t result, const SyscallEvent& event, Registers& registers) {
  AlteredCall call;
  call.result_ = result;
  if (is_foreign_call(event.number)) {
    registers.orig_rax = static_cast<uint64_t>(-1);
    return call;
  }
  registers.orig_rax = SYS_read;
  call.change(registers, 0, static_cast<uint64_t>(-1));
  call.change(registers, 1, 0);
  call.change(registers, 2, 0);
  return call;
}

void AlteredCall::restore(Registers& registers) const {
  for (const auto& [argument, value] : former_) argument_of(registers, argument) = value;
  if (!result_) return;
  registers.rax = static_cast<uint64_t>(*result_);
  // Nothing is to be restarted.
  registers.orig_rax = static_cast<uint64_t>(-1);
}

}  // namespace sandbox::platform
