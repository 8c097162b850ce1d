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

// Bytes; the smallest of the group's and its ancestors'.
struct MemoryLimits {
  uint64_t memory = kUnlimited, swap = kUnlimited;
  bool operator==(const MemoryLimits&) const = default;
};

struct MemoryUse {
  uint64_t limit = kUnlimited;  // as in MemoryLimits
  uint64_t used = 0;            // page cache and what the kernel keeps for the group among it
  uint64_t swap_limit = kUnlimited;
  uint64_t swap_used = 0;
  bool operator==(const MemoryUse&) const = default;
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

// Every number is read when it is asked for, from files that stay open; only limits of ancestors may be 10 ms
// old. Nothing is allocated, except for what is returned in a vector. A limit that cannot be read any more
// (the file is gone, or cut off) keeps its last value, and so does the memory in use: an error must not look
// like more machine than there is. Safe to use from several threads.
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
  // Without a group: none.
  MemoryLimits memory_limits(Swap swap);
  // Errors: ENOENT (not counted), those of the first read.
  Result<MemoryUse> memory(Swap swap) { return memory_use(memory_limits(swap), swap); }
  // The same under `limits`, with what the memory is used for: at most 10 ms older, and only where the use is
  // the same.
  struct MemoryDetails {
    MemoryUse use;
    MemoryStatistics statistics;
    uint64_t statistics_number = 0;  // details with the same number have the same statistics
  };
  Result<MemoryDetails> memory_details(const MemoryLimits& limits, Swap swap);

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
  struct Chain {
    std::deque<Limit> links;                     // of the group, then of its ancestors; not movable: a deque
    std::atomic<uint64_t> ancestors_read_ns{0};  // CLOCK_MONOTONIC
    // Calls `read` with each link whose last value is too old.
    template <typename Read>
    void refresh(Read read);
  };
  // A number that keeps its last value when it cannot be read any more.
  struct KeptNumber {
    LiveFile file;
    std::atomic<uint64_t> last{kUnlimited};  // kUnlimited: never read
    // Errors: ENOENT (not open), those of the first read.
    Result<uint64_t> read();
  };

  void add_unenforced(const Limits& limits);
  bool is_charged(const MemoryUse& use) const { return use.limit != unenforced_memory_; }
  void open_memory(const GroupDirectory& group);
  void open_cpu(const CgroupDirectories& directories);
  void open_io(const GroupDirectory& group);
  static void open_chain(const GroupDirectory& group, const char* file, const char* period, Chain* chain);
  static uint64_t smallest(Chain& chain, HierarchyVersion version);
  static void read_quota(Limit& limit, HierarchyVersion version);
  Result<MemoryUse> memory_use(const MemoryLimits& limits, Swap swap);
  // With statistics_lock_.
  void refresh_statistics(uint64_t now_ns);
  MemoryLimits with_hidden_limits(MemoryLimits limits) const;

  bool has_memory_ = false, has_io_ = false;
  std::optional<uint64_t> unenforced_memory_;
  std::vector<int> unenforced_cpus_;
  HierarchyVersion memory_version_, cpu_version_, pids_version_, io_version_;
  KeptNumber memory_used_, swap_used_;
  LiveFile memory_statistics_;
  Chain memory_limits_, swap_limits_, cpu_limits_, pids_limits_;
  LiveFile cpu_total_, cpu_by_cpu_, cpus_, pids_current_, io_bytes_, io_operations_;
  UniqueFd unified_;

  // What memory.stat told the last time. No lock is taken under this one.
  static constexpr size_t kLargestStatistics = 16384;
  std::mutex statistics_lock_;
  MemoryStatisticsParser parser_;
  MemoryStatistics statistics_;              // statistics_lock_
  uint64_t statistics_number_ = 0;           // statistics_lock_; 0: never read
  uint64_t statistics_time_ns_ = 0;          // statistics_lock_; CLOCK_MONOTONIC
  MemoryUse statistics_use_;                 // statistics_lock_; what was in use then
  MemoryLimits statistics_limits_;           // statistics_lock_; the visible ones, then
  std::unique_ptr<char[]> statistics_text_;  // statistics_lock_
};

}  // namespace sandbox::cgroup
