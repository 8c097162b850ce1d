// GroupMemory: /proc/meminfo and /proc/vmstat of a machine as large as the limit of a group.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/resource_view.h"
#include "sentry/cgroup/usage.h"

namespace sandbox {

// What does not come from the group.
struct HostMemory {
  uint64_t total = 0, swap_total = 0;  // bytes
  uint64_t overcommit_percent = 50;    // vm.overcommit_ratio
  struct Line {
    MemoryLine line;     // as the host has it
    uint8_t source = 0;  // what its number in the group is made of
  };
  std::vector<Line> lines;  // of /proc/meminfo: which there are, and in which order

  void set_lines(const MemoryLines& host_lines);
};

// What the workload may have, and has, in bytes.
struct GroupMemory {
  cgroup::MemoryUse use;
  uint64_t total = 0, free = 0, swap_total = 0, swap_free = 0;

  // `use` is what a UsageReader answered; its limits may be larger than the host.
  GroupMemory(const cgroup::MemoryUse& use, const HostMemory& host);
  MemorySummary summary(const cgroup::MemoryStatistics& statistics) const;
  MemoryLines lines(const HostMemory& host, const cgroup::MemoryStatistics& statistics) const;
};

// A line of /proc/vmstat ("nr_free_pages") for the group. What is not counted for groups is 0.
uint64_t vmstat_value(std::string_view name, const GroupMemory& memory,
                      const cgroup::MemoryStatistics& statistics, const cgroup::IoUse& io);

}  // namespace sandbox
