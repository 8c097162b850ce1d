// ProcessMemory: GuestMemory of a thread by process_vm_readv and process_vm_writev.
#pragma once

#include <sys/types.h>

#include "sandbox/guest_memory.h"

namespace sandbox::platform {

class ProcessMemory final : public GuestMemory {
 public:
  // `host_tid` as the sentry's PID namespace numbers it.
  explicit ProcessMemory(pid_t host_tid) : host_tid_(host_tid) {}

  Result<size_t> read_some(uint64_t address, std::span<std::byte> out) override;
  Result<size_t> write_some(uint64_t address, std::span<const std::byte> in) override;

 private:
  pid_t host_tid_;
};

}  // namespace sandbox::platform
