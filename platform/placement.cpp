// Measured choice of a placement, and holding threads on one CPU.
#include "platform/placement.h"

#include <algorithm>

namespace sandbox::platform {

cpu_set_t only_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return set;
}

Way MeasuredWay::choose() {
  const uint32_t place = choices_++ % kRound;
  const bool is_trial = place >= kRound / 4 && place < kRound / 4 + kTrial;
  if (is_trial) return better_ == Way::kTogether ? Way::kAnywhere : Way::kTogether;
  if (place % kReview == 0 || place == kRound / 4 + kTrial) {
    const uint64_t anywhere = median_ns(samples_[0]), together = median_ns(samples_[1]);
    // By a clear margin: it is the way that Linux would not have gone.
    better_ = together != 0 && together * 8 < anywhere * 7 ? Way::kTogether : Way::kAnywhere;
  }
  return better_;
}

void MeasuredWay::record(Way way, uint64_t duration_ns) {
  Samples& samples = samples_[static_cast<size_t>(way)];
  samples.last_ns[samples.count++ % kSamples] =
      static_cast<uint32_t>(std::min<uint64_t>(duration_ns, UINT32_MAX));
}

uint32_t MeasuredWay::median_ns(const Samples& samples) {
  if (samples.count < kSamples) return 0;
  auto sorted = samples.last_ns;
  std::ranges::nth_element(sorted, sorted.begin() + kSamples / 2);
  return sorted[kSamples / 2];
}

void Pin::hold() {
  if (const int here = sched_getcpu(); here >= 0) hold(here);
}

void Pin::hold(int cpu) {
  if (is_held_ || sched_getaffinity(0, sizeof mask_, &mask_) < 0) return;
  const cpu_set_t set = only_cpu(cpu);
  is_held_ = sched_setaffinity(0, sizeof set, &set) == 0;
}

void Pin::release() {
  if (is_held_) sched_setaffinity(0, sizeof mask_, &mask_);
  is_held_ = false;
}

HeldHere::HeldHere(pid_t tid) {
  const int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(tid, sizeof mask_, &mask_) < 0) return;
  // It may not come here, or nowhere else.
  if (!CPU_ISSET(here, &mask_) || CPU_COUNT(&mask_) == 1) return;
  const cpu_set_t set = only_cpu(here);
  if (sched_setaffinity(tid, sizeof set, &set) == 0) tid_ = tid;
}

HeldHere::~HeldHere() {
  if (tid_ != 0) sched_setaffinity(tid_, sizeof mask_, &mask_);
}

void InstallPlacement::note_call(pid_t caller) {
  if (caller == last_target_) ways_.record(way_, clock_ns(CLOCK_MONOTONIC) - begin_ns_);
  last_target_ = 0;
  if (worker_.is_held() && ++calls_since_install_ > kCallsWithoutInstall) worker_.release();
}

void StopPlacement::note_stop(pid_t tid) {
  if (tid != last_tid_) {
    turns_ = 0;
    return;
  }
  if (turns_ >= kTurns) ways_.record(way_, clock_ns(CLOCK_MONOTONIC) - last_ns_);
  ++turns_;
}

void StopPlacement::note_birth(pid_t parent, pid_t child) const {
  cpu_set_t own, inherited;
  if (sched_getaffinity(child, sizeof inherited, &inherited) < 0 || CPU_COUNT(&inherited) != 1) return;
  if (sched_getaffinity(parent, sizeof own, &own) < 0 || CPU_EQUAL(&own, &inherited)) return;
  sched_setaffinity(child, sizeof own, &own);
}

void StopPlacement::prepare(pid_t tid) {
  last_tid_ = tid;
  way_ = turns_ >= kTurns ? ways_.choose() : Way::kAnywhere;
  if (way_ == Way::kTogether) {
    tracer_.hold();
  } else {
    tracer_.release();
  }
}

}  // namespace sandbox::platform
