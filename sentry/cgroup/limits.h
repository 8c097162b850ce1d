// Limits: how much machine a workload may use, as it was asked for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace sandbox::cgroup {

inline constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// CPU time: `quota_us` in every `period_us`, summed over CPUs (cpu.max; cpu.cfs_quota_us).
struct CpuQuota {
  uint64_t quota_us = 0;  // or kUnlimited
  uint64_t period_us = 100'000;
};

// Throttling of one whole disk (io.max; blkio.throttle.*). Nothing: as it is; kUnlimited: none.
struct IoLimit {
  unsigned major = 0, minor = 0;
  std::optional<uint64_t> read_bytes_per_s, write_bytes_per_s, reads_per_s, writes_per_s;
};

// Nothing: not asked for. kUnlimited, where a comment allows it: asked to be without a limit.
struct Limits {
  std::optional<uint64_t> memory_bytes;           // may be kUnlimited
  std::optional<uint64_t> memory_and_swap_bytes;  // both together, at least memory_bytes; may be kUnlimited
  std::optional<CpuQuota> cpu;
  std::vector<int> cpus;               // cpuset, ascending; empty: not asked for
  std::optional<unsigned> cpu_weight;  // 1 to 10000, default 100 (cpu.weight); v1: shares of the same ratio
  std::optional<uint64_t> pids;        // tasks, threads and the built-in init among them; may be kUnlimited
  std::vector<IoLimit> io;
  std::optional<unsigned> io_weight;  // 10 to 1000, default 100 (blkio.bfq.weight, io.weight)

  bool is_empty() const;
};

// One of the limits; each is an option of the command line.
enum class LimitKind { kMemory, kMemorySwap, kCpus, kCpuset, kCpuWeight, kPids, kIoMax, kIoWeight };
// "--memory".
std::string_view option_name(LimitKind kind);
// Those that were asked for.
std::vector<LimitKind> kinds_of(const Limits& limits);
// What `from` says of `kind` becomes part of `to`.
void copy_limit(const Limits& from, LimitKind kind, Limits& to);

}  // namespace sandbox::cgroup
