// CopiedMemory: GuestMemory of a thread that has gone on, where what its call wrote has been copied.
#pragma once

#include "platform/call_observer.h"
#include "platform/process_memory.h"

namespace sandbox::platform {

// What was not copied is read as it is by now.
class CopiedMemory final : public GuestMemory {
 public:
  // `outputs` outlives it.
  CopiedMemory(pid_t host_tid, const CopiedOutputs& outputs) : outputs_(outputs), live_(host_tid) {}

  Result<size_t> read_some(uint64_t address, std::span<std::byte> out) override;
  Result<size_t> write_some(uint64_t address, std::span<const std::byte> in) override;

 private:
  const CopiedOutputs& outputs_;
  ProcessMemory live_;
};

}  // namespace sandbox::platform
