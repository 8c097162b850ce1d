// The arithmetic of calc_load and calc_load_n, in the same fixed point.
#include "sentry/resources/load_average.h"

#include <array>

namespace sandbox {

namespace {

// exp(-5 s / 1, 5, 15 min) in fixed point (include/linux/sched/loadavg.h: EXP_1, EXP_5, EXP_15).
constexpr std::array<uint64_t, 3> kDecay = {1884, 2014, 2037};

uint64_t decayed(uint64_t load, uint64_t decay, uint64_t active) {
  uint64_t next = load * decay + active * (LoadAverage::kOne - decay);
  // A rising load is rounded up, so that it gets where it belongs.
  if (active >= load) next += LoadAverage::kOne - 1;
  return next / LoadAverage::kOne;
}

// decay to the power of `count`, rounded as fixed_power_int does.
uint64_t power(uint64_t decay, uint64_t count) {
  constexpr uint64_t kHalf = uint64_t{1} << (Load::kShift - 1);
  uint64_t result = LoadAverage::kOne;
  for (; count != 0; count >>= 1) {
    if (count & 1) result = (result * decay + kHalf) >> Load::kShift;
    decay = (decay * decay + kHalf) >> Load::kShift;
  }
  return result;
}

}  // namespace

void LoadAverage::advance(uint64_t now_ns, uint64_t mean, uint64_t active_now) {
  if (!is_due(now_ns)) return;
  uint64_t intervals = (now_ns - last_ns_) / kIntervalNs;
  last_ns_ += intervals * kIntervalNs;
  for (size_t i = 0; i < kDecay.size(); ++i) {
    uint64_t& average = load_.averages[i];
    if (intervals > 1) average = decayed(average, power(kDecay[i], intervals - 1), mean);
    average = decayed(average, kDecay[i], active_now);
  }
}

}  // namespace sandbox
