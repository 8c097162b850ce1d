// Placement: on which CPU the sentry's threads and the thread they wake are, chosen by measuring.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <array>
#include <cstdint>

#include "sandbox/clock.h"

namespace sandbox::platform {

// Linux wakes a thread on an idle CPU when there is one. When the waker then goes to sleep to wait for that
// very thread, this costs more than all the rest: two wake-ups of a sleeping CPU for each call. Where both
// sides are known to take turns they are better together on one CPU; where CPUs are busy anyway, they are
// not.
enum class Way : uint8_t { kAnywhere, kTogether };

// Which way has been faster lately, by the median of its last samples. The other one is tried now and then.
class MeasuredWay {
 public:
  Way choose();
  void record(Way way, uint64_t duration_ns);

 private:
  static constexpr uint32_t kRound = 1024, kTrial = 12;  // choices in a round, and of them with the other way
  static constexpr uint32_t kSamples = 9;
  static constexpr uint32_t kReview = 32;  // choices between two looks at the medians

  struct Samples {
    std::array<uint32_t, kSamples> last_ns{};
    uint32_t count = 0;
  };
  static uint32_t median_ns(const Samples& samples);  // 0: not enough of them

  std::array<Samples, 2> samples_;  // by Way
  Way better_ = Way::kAnywhere;
  uint32_t choices_ = 0;
};

// The set of one CPU.
cpu_set_t only_cpu(int cpu);

// Holds the thread that calls it to one CPU, until it is let go.
class Pin {
 public:
  // The one it is on.
  void hold();
  void hold(int cpu);
  void release();
  bool is_held() const { return is_held_; }

 private:
  bool is_held_ = false;
  cpu_set_t mask_{};  // to be restored
};

// Another thread that may for a moment run only on this thread's CPU. Undone when destroyed.
class HeldHere {
 public:
  explicit HeldHere(pid_t tid);
  ~HeldHere();
  HeldHere(const HeldHere&) = delete;
  HeldHere& operator=(const HeldHere&) = delete;

 private:
  pid_t tid_ = 0;  // 0: nothing to undo
  cpu_set_t mask_{};
};

// For the installation of descriptors: NOTIF_ADDFD wakes its target and then waits for it. One for each
// worker.
class InstallPlacement {
 public:
  // Runs `install` for the thread `target` and returns what it returns.
  template <typename Install>
  auto run(pid_t target, Install install);
  // For every call that comes, of the thread `caller`: how long a caller took from one installation to its
  // next call tells how good the way was. A worker that installs nothing any more goes where its callers are.
  void note_call(pid_t caller);

 private:
  static constexpr uint32_t kCallsWithoutInstall = 64;

  MeasuredWay ways_;
  Pin worker_;
  uint32_t calls_since_install_ = 0;
  Way way_ = Way::kAnywhere;
  pid_t last_target_ = 0;  // of an installation that began at begin_ns_
  uint64_t begin_ns_ = 0;
};

// For ptrace stops: the tracer lets a thread run and then waits for its next stop. Used by the tracer only.
class StopPlacement {
 public:
  void note_stop(pid_t tid);
  // Runs `resume`, which lets the stopped thread `tid` run. It has no longer than that to be where it is
  // woken.
  template <typename Resume>
  auto run(pid_t tid, Resume resume);
  // A thread born while its parent was held is held as well, and nobody would let it go: gives it the CPUs
  // that its parent has by now. For a child that has not run yet.
  void note_birth(pid_t parent, pid_t child) const;

 private:
  void prepare(pid_t tid);

  // So many stops in a row of one thread, and only it and the tracer seem to be at work. Births and deaths,
  // in which several threads go on at once, are left to Linux.
  static constexpr uint32_t kTurns = 4;

  MeasuredWay ways_;
  Pin tracer_;
  Way way_ = Way::kAnywhere;
  pid_t last_tid_ = 0;  // let run last, at last_ns_
  uint64_t last_ns_ = 0;
  uint32_t turns_ = 0;  // stops in a row of last_tid_
};

template <typename Install>
auto InstallPlacement::run(pid_t target, Install install) {
  calls_since_install_ = 0;
  way_ = ways_.choose();
  last_target_ = target;
  begin_ns_ = clock_ns(CLOCK_MONOTONIC);
  if (way_ == Way::kAnywhere) {
    worker_.release();
    return install();
  }
  worker_.hold();
  HeldHere held(target);
  return install();
}

template <typename Resume>
auto StopPlacement::run(pid_t tid, Resume resume) {
  prepare(tid);
  auto result = [&] {
    if (way_ == Way::kAnywhere) return resume();
    HeldHere held(tid);
    return resume();
  }();
  last_ns_ = clock_ns(CLOCK_MONOTONIC);
  return result;
}

}  // namespace sandbox::platform
