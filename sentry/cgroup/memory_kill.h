// MemoryKill: what is known when the kernel ended processes of a workload for lack of memory.
#pragma once

#include <cstdint>
#include <optional>

namespace sandbox::cgroup {

struct MemoryKill {
  uint64_t count = 0;  // processes
  std::optional<uint64_t> peak_bytes;
  // The limit of the sandbox that was reached. Nothing: one above it was, or the end of the host's memory.
  std::optional<uint64_t> limit_bytes;
};

}  // namespace sandbox::cgroup
