// Limits: how much machine a workload may use, as it was asked for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace sandbox::cgroup {

inline constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// CPU time: `quota_us` in every `period_us`, summed over CPUs (cpu.max; cpu.cfs_quota_us).
struct CpuQuota {
  uint64_t quota_us = 0;
  uint64_t period_us = 100'000;
};

// Throttling of one whole disk (io.max; blkio.throttle.*). Nothing: not limited.
struct IoLimit {
  unsigned major = 0, minor = 0;
  std::optional<uint64_t> read_bytes_per_s, write_bytes_per_s, reads_per_s, writes_per_s;
};

// Nothing: not asked for. kUnlimited, where it is allowed: asked to be without limit.
struct Limits {
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> memory_and_swap_bytes;  // both together, at least memory_bytes; may be kUnlimited
  std::optional<CpuQuota> cpu;
  std::vector<int> cpus;               // cpuset, ascending; empty: not asked for
  std::optional<unsigned> cpu_weight;  // 1 to 10000, default 100 (cpu.weight); v1: shares of the same ratio
  std::optional<uint64_t> pids;        // tasks, threads and the built-in init among them; may be kUnlimited
  std::vector<IoLimit> io;
  std::optional<unsigned> io_weight;  // 10 to 1000, default 100 (io.bfq.weight, io.weight)

  bool is_empty() const {
    return !memory_bytes && !memory_and_swap_bytes && !cpu && cpus.empty() && !cpu_weight && !pids &&
           io.empty() && !io_weight;
  }
};

}  // namespace sandbox::cgroup
