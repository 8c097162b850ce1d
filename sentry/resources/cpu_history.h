// CpuHistory: what each CPU of the sandbox did, made of what the kernel counts for the whole of its group.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "sentry/cgroup/usage.h"

namespace sandbox {

// The workload may run on more CPUs than it is shown (a quota allows fewer), and cgroup v2 does not say where
// it ran. So time is divided up whenever somebody looks: each CPU's counters only ever grow, together they
// are what the group has used since the first look, and no CPU gets more than the time that has passed. Not
// safe from several threads.
class CpuHistory {
 public:
  struct Counters {
    uint64_t user_ns = 0, nice_ns = 0, system_ns = 0, idle_ns = 0;
  };
  // How the time since the last look is divided.
  struct Look {
    uint64_t now_ns = 0;  // CLOCK_BOOTTIME
    cgroup::CpuUse use;   // the whole group's, counted from anywhere
    // By CPU number, counted from anywhere: who shall get it, or, when is_own, what each CPU really did for
    // the group. A CPU beyond the end counts as 0.
    std::span<const uint64_t> shares;
    enum class Shares { kOwn, kHint } kind = Shares::kHint;
    std::span<const int> shown;             // CPU numbers, ascending, not empty
    std::optional<cgroup::CpuQuota> quota;  // idle time is what the quota leaves
  };

  // The first look only remembers where counting starts.
  void advance(const Look& look);
  bool has_started() const { return has_started_; }
  // Of a CPU that was shown at some time; zeros otherwise.
  Counters of(int cpu) const;
  // Over all CPUs that were ever shown.
  Counters total() const;

 private:
  // What of the last time span each shown CPU gets, adding up to `total`.
  static void divide(const Look& look, std::span<const uint64_t> deltas, uint64_t elapsed, uint64_t total,
                     std::span<uint64_t> given);
  std::vector<uint64_t> deltas_of(const Look& look) const;
  void remember(const Look& look);

  std::map<int, Counters> cpus_;
  bool has_started_ = false;
  uint64_t last_ns_ = 0;
  cgroup::CpuUse last_use_;
  std::vector<uint64_t> last_shares_;
};

}  // namespace sandbox
