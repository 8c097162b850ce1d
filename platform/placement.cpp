// Measured choice of a placement, and holding two threads on one CPU.
#include "platform/placement.h"

#include <ctime>

namespace sandbox::platform {

namespace {

uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

cpu_set_t only(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return set;
}

}  // namespace

InstallPlacement::Way InstallPlacement::choose() {
  const auto [anywhere, together] = average_ns_;
  if (anywhere == 0) return Way::kAnywhere;
  if (together == 0) return Way::kTogether;
  const Way better = together < anywhere ? Way::kTogether : Way::kAnywhere;
  if (++installs_ % kTrialInterval != 0) return better;
  return better == Way::kTogether ? Way::kAnywhere : Way::kTogether;
}

void InstallPlacement::record(uint64_t duration_ns) {
  int64_t& average = average_ns_[static_cast<size_t>(way_)];
  const int64_t sample = static_cast<int64_t>(duration_ns) + 1;
  average = average == 0 ? sample : average + (sample - average) / kSmoothing;
}

void InstallPlacement::begin(pid_t target) {
  calls_since_install_ = 0;
  way_ = choose();
  begin_ns_ = monotonic_ns();
  if (way_ == Way::kTogether) {
    stay_here();
    hold(target);
  } else {
    roam();
  }
}

void InstallPlacement::end() {
  if (held_ != 0) sched_setaffinity(held_, sizeof held_mask_, &held_mask_);
  held_ = 0;
  record(monotonic_ns() - begin_ns_);
}

void InstallPlacement::note_call() {
  if (is_pinned_ && ++calls_since_install_ > kCallsWithoutInstall) roam();
}

void InstallPlacement::hold(pid_t target) {
  const int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(target, sizeof held_mask_, &held_mask_) < 0) return;
  // It may not come here, or nowhere else.
  if (!CPU_ISSET(here, &held_mask_) || CPU_COUNT(&held_mask_) == 1) return;
  const cpu_set_t set = only(here);
  if (sched_setaffinity(target, sizeof set, &set) == 0) held_ = target;
}

void InstallPlacement::stay_here() {
  const int here = sched_getcpu();
  if (is_pinned_ || here < 0 || sched_getaffinity(0, sizeof own_mask_, &own_mask_) < 0) return;
  const cpu_set_t set = only(here);
  is_pinned_ = sched_setaffinity(0, sizeof set, &set) == 0;
}

void InstallPlacement::roam() {
  if (is_pinned_) sched_setaffinity(0, sizeof own_mask_, &own_mask_);
  is_pinned_ = false;
}

}  // namespace sandbox::platform
