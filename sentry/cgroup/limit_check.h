// Limits that make no sense are refused before anything is created.
#pragma once

#include <cstdint>
#include <vector>

#include "sentry/cgroup/limits.h"
#include "sentry/failure.h"

namespace sandbox::cgroup {

// What there is to be limited.
struct Machine {
  uint64_t memory_bytes = 0;
  uint64_t swap_bytes = 0;
  std::vector<int> cpus;     // that the caller may use, ascending
  uint64_t cpu_count = 0;    // online, whoever may use them
  uint64_t largest_pid = 0;  // kernel.pid_max
  static Machine of_caller();
};

inline constexpr uint64_t kSmallestMemory = 2 << 20;  // no program starts in less
inline constexpr uint64_t kSmallestQuota_us = 1000;   // kernel/sched/core.c, min_cfs_quota_period

// Each failure names the option, why it cannot be and what can. In the order of LimitKind.
Configured<void> check_limits(const Limits& limits, const Machine& machine);

}  // namespace sandbox::cgroup
