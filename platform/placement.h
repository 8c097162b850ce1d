// Placement: on which CPU a worker and a thread are while a descriptor is installed into the thread.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <array>
#include <cstdint>

namespace sandbox::platform {

// NOTIF_ADDFD wakes its target and then waits for it, both without the hint that the other side is about to
// sleep: on an idle machine each wakes on another CPU, which costs more than all the rest. Holding both on one
// CPU meanwhile avoids that, and costs where CPUs are busy anyway. Which is better is measured as it goes: the
// usual way is the one that was faster lately, the other is tried now and then.
//
// One for each worker thread, used by it only.
class InstallPlacement {
 public:
  // Around one installation into `target`.
  void begin(pid_t target);
  void end();
  // For every call the worker answers: a worker that installs nothing any more goes where its callers are.
  void note_call();

 private:
  enum class Way : uint8_t { kAnywhere, kTogether };
  static constexpr uint32_t kTrialInterval = 64;
  static constexpr uint32_t kCallsWithoutInstall = 64;
  static constexpr int64_t kSmoothing = 8;   // a sample's share of the average is 1/8

  Way choose();
  void record(uint64_t duration_ns);
  void hold(pid_t target);
  void stay_here();
  void roam();

  std::array<int64_t, 2> average_ns_{};   // by Way; 0: never tried
  uint32_t installs_ = 0, calls_since_install_ = 0;
  Way way_ = Way::kAnywhere;
  uint64_t begin_ns_ = 0;
  pid_t held_ = 0;                        // thread whose affinity was changed; 0: none
  cpu_set_t held_mask_{}, own_mask_{};
  bool is_pinned_ = false;                // this worker, to the CPU it is on
};

}  // namespace sandbox::platform
