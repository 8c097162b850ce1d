// Measured choice of a placement, and holding threads on one CPU.
#include "platform/placement.h"

#include <algorithm>
#include <ctime>

namespace sandbox::platform {

namespace {

cpu_set_t only(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return set;
}

}  // namespace

uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

Way MeasuredWay::choose() {
  const auto [anywhere, together] = average_ns_;
  const uint32_t place = choices_++ % kRound;
  if (anywhere == 0) return Way::kAnywhere;
  const Way better = together != 0 && together < anywhere ? Way::kTogether : Way::kAnywhere;
  // The trial is at the round's start, but not at the first call of all: short programs stay as they are.
  if (place >= kTrial || choices_ <= kTrial) {
    return together == 0 && place == 2 * kTrial ? Way::kTogether : better;
  }
  return better == Way::kTogether ? Way::kAnywhere : Way::kTogether;
}

void MeasuredWay::record(Way way, uint64_t duration_ns) {
  int64_t& average = average_ns_[static_cast<size_t>(way)];
  const int64_t sample = std::min(static_cast<int64_t>(duration_ns) + 1, kLongest_ns);
  average = average == 0 ? sample : average + (sample - average) / kSmoothing;
}

void Pin::hold() {
  if (is_held_) return;
  const int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(0, sizeof mask_, &mask_) < 0) return;
  const cpu_set_t set = only(here);
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
  const cpu_set_t set = only(here);
  if (sched_setaffinity(tid, sizeof set, &set) == 0) tid_ = tid;
}

HeldHere::~HeldHere() {
  if (tid_ != 0) sched_setaffinity(tid_, sizeof mask_, &mask_);
}

void InstallPlacement::note_call() {
  if (worker_.is_held() && ++calls_since_install_ > kCallsWithoutInstall) worker_.release();
}

// Only a thread that stops again and again says something about the way it was woken.
void StopPlacement::note_stop(pid_t tid) {
  if (tid == last_tid_) ways_.record(way_, monotonic_ns() - last_ns_);
  last_tid_ = 0;
}

void StopPlacement::prepare() {
  way_ = ways_.choose();
  if (way_ == Way::kTogether) {
    tracer_.hold();
  } else {
    tracer_.release();
  }
}

}  // namespace sandbox::platform
