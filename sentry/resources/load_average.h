// LoadAverage: the kernel's decaying averages of how many tasks run or want to (kernel/sched/loadavg.c).
#pragma once

#include <cstdint>

#include "sandbox/resource_view.h"

namespace sandbox {

// Not safe from several threads.
class LoadAverage {
 public:
  static constexpr uint64_t kIntervalNs = 5'000'000'000;
  static constexpr uint64_t kOne = uint64_t{1} << Load::kShift;

  explicit LoadAverage(uint64_t start_ns) : last_ns_(start_ns) {}

  // Whether an interval has ended by now: then advance() wants to know what was going on.
  bool is_due(uint64_t now_ns) const { return now_ns >= last_ns_ + kIntervalNs; }
  uint64_t last_ns() const { return last_ns_; }
  // Every interval that has ended: in all but the last one `mean` tasks were active, in the last one as many
  // as are now. Both in units of 1 / kOne.
  void advance(uint64_t now_ns, uint64_t mean, uint64_t active_now);
  const Load& load() const { return load_; }

 private:
  uint64_t last_ns_;
  Load load_;
};

}  // namespace sandbox
