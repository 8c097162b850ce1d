// UsageReader: the live numbers and limits of the groups that hold a workload, on v1, v2 and mixed hosts.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "sentry/cgroup/directories.h"
#include "sentry/cgroup/limits.h"
#include "sentry/cgroup/live_file.h"
#include "sentry/cgroup/memory_statistics.h"

namespace sandbox::cgroup {

struct MemoryUse {
  uint64_t limit = kUnlimited;  // bytes; the smallest of the group's and its ancestors'
  uint64_t used = 0;            // page cache and what the kernel keeps for the group among it
  uint64_t swap_limit = kUnlimited;
  uint64_t swap_used = 0;
};

struct CpuUse {
  uint64_t user_ns = 0, system_ns = 0;
  uint64_t nice_ns = 0;  // a part of user_ns; 0 where the kernel does not tell
  uint64_t total_ns() const { return user_ns + system_ns; }
};

struct PidsUse {
  uint64_t current = 0, limit = kUnlimited;
};

// Of one whole disk.
struct IoUse {
  unsigned major = 0, minor = 0;
  uint64_t read_bytes = 0, write_bytes = 0, discard_bytes = 0;
  uint64_t reads = 0, writes = 0, discards = 0;
};

// Every number is read when it is asked for, from files that stay open. Nothing is allocated, except for what
// is returned in a vector. A limit that cannot be read any more (the file is gone, or cut off) keeps its last
// value: an error must not look like more machine than there is. Safe to use from several threads.
// `unenforced` limits count like those of a group. Nobody charges anything to one on memory, so of it nothing
// is used.
class UsageReader {
 public:
  explicit UsageReader(const CgroupDirectories& directories, const Limits& unenforced = {});
  ~UsageReader();

  // Whether a group counts memory, CPU time; without one the host's numbers are the truth.
  bool has_memory() const { return has_memory_; }
  bool has_cpu() const { return cpu_total_.is_open(); }
  // False when the workload is in the topmost group, which is the whole host.
  bool has_io() const { return has_io_; }

  // kSkip: the host has no swap, and nobody need ask how much of it is used.
  enum class Swap { kSkip, kRead };
  // Errors: ENOENT (not counted), ENODEV (the group is gone).
  Result<MemoryUse> memory(Swap swap);
  // The same, with what the memory is used for: at most 10 ms older, and only where the use is the same.
  struct MemoryDetails {
    MemoryUse use;
    MemoryStatistics statistics;
  };
  Result<MemoryDetails> memory_details(Swap swap);

  // Errors: ENOENT (not counted), ENODEV.
  Result<CpuUse> cpu();
  // The time of each CPU, by its number, for as many as `total_ns` has places; the others stay as they are.
  // Errors: ENOENT (v2 does not count it), ENODEV.
  Result<void> cpu_by_cpu(std::span<uint64_t> total_ns);
  // The smallest ratio of quota to period on the way up; nothing: no quota.
  std::optional<CpuQuota> cpu_quota();
  // The CPUs that the group may run on, ascending. Errors: ENOENT (no such controller).
  Result<std::vector<int>> cpus();

  // Errors: ENOENT (not counted).
  Result<PidsUse> pids();
  Result<std::vector<IoUse>> io();
  // The group's own "cpu", "io" or "memory" pressure file. Errors: ENOENT.
  Result<UniqueFd> open_pressure(std::string_view name, int flags) const;

 private:
  // A limit of one group. v1 has quota and period in two files.
  struct Limit {
    LiveFile file, period;
    std::atomic<uint64_t> last{kUnlimited};
    std::atomic<uint64_t> last_period{0};
  };
  // Of the group and its ancestors. Not movable: a deque.
  using Chain = std::deque<Limit>;

  void add_unenforced(const Limits& limits);
  bool is_charged(const MemoryUse& use) const { return use.limit != unenforced_memory_; }
  void open_memory(const GroupDirectory& group);
  void open_cpu(const CgroupDirectories& directories);
  void open_io(const GroupDirectory& group);
  static void open_chain(const GroupDirectory& group, const char* file, const char* period, Chain* chain);
  static uint64_t smallest(Chain& chain, HierarchyVersion version);
  static CpuQuota read_quota(Limit& limit, HierarchyVersion version);
  Result<MemoryUse> read_memory_use(Swap swap);
  // With statistics_lock_.
  void refresh_statistics(const MemoryUse& use, uint64_t now_ns);
  void apply_hidden_limits(MemoryUse* use) const;

  bool has_memory_ = false, has_io_ = false;
  std::optional<uint64_t> unenforced_memory_;
  std::vector<int> unenforced_cpus_;
  HierarchyVersion memory_version_, cpu_version_, pids_version_, io_version_;
  LiveFile memory_used_, memory_statistics_, swap_used_;
  Chain memory_limits_, swap_limits_, cpu_limits_, pids_limits_;
  LiveFile cpu_total_, cpu_by_cpu_, cpus_, pids_current_, io_bytes_, io_operations_;
  UniqueFd unified_;

  // What memory.stat told the last time. No lock is taken under this one.
  static constexpr size_t kLargestStatistics = 16384;
  std::mutex statistics_lock_;
  MemoryStatisticsParser parser_;
  MemoryStatistics statistics_;              // statistics_lock_
  MemoryUse statistics_use_;                 // statistics_lock_; what was in use then, and the limits
  uint64_t statistics_time_ns_ = 0;          // statistics_lock_; CLOCK_MONOTONIC; 0: never read
  std::unique_ptr<char[]> statistics_text_;  // statistics_lock_
};

}  // namespace sandbox::cgroup
