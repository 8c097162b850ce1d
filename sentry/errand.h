// Errand: a few host system calls made by a short-lived process of the sentry's, with ids, root and umask of
// its own.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "sandbox/result.h"

namespace sandbox {

// The process shares the sentry's memory and descriptors, and nothing else: what it does to its ids, its
// working directory, its root, its umask or (kPrivate) its mounts ends with it, and the kernel notes *it* as
// the maker of what it makes. Strings that steps point to must live until run returns.
class Errand {
 public:
  enum class Mounts { kShared, kPrivate };
  explicit Errand(Mounts mounts = Mounts::kShared) : mounts_(mounts) {}

  enum class OnFailure { kStop, kGoOn };
  struct Step {
    long number;
    std::array<uint64_t, 6> args;
    OnFailure on_failure;
  };
  template <typename... Arguments>
  void add(long number, Arguments... arguments) {
    steps_.push_back({number, {to_word(arguments)...}, OnFailure::kStop});
  }
  template <typename... Arguments>
  void add_optional(long number, Arguments... arguments) {
    steps_.push_back({number, {to_word(arguments)...}, OnFailure::kGoOn});
  }
  size_t step_count() const { return steps_.size(); }

  struct Outcome {
    pid_t pid = 0;           // of the process that was, for those the kernel tells about it
    size_t failed_step = 0;  // step_count() when all went through
    long result = 0;         // of the last step that was made: a value or a negated errno
  };
  // Makes the steps in order. Briefly: none of them may wait for anybody. Interruptibly: the signal of
  // ParkedCalls, sent to the calling thread, interrupts the step that is being made.
  // `at_birth` runs before the first step is made. Errors: EAGAIN, ENOMEM, EPERM (private mounts) when the
  // process cannot be made.
  Result<Outcome> run_briefly() const { return run(Waits::kBrief, nullptr); }
  Result<Outcome> run_interruptibly(const std::function<void(pid_t)>& at_birth) const {
    return run(Waits::kInterruptible, &at_birth);
  }

 private:
  template <typename T>
  static uint64_t to_word(T value) {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<uint64_t>(value);
    } else if constexpr (std::is_null_pointer_v<T>) {
      return 0;
    } else {
      return static_cast<uint64_t>(static_cast<int64_t>(value));
    }
  }

  enum class Waits { kBrief, kInterruptible };
  Result<Outcome> run(Waits waits, const std::function<void(pid_t)>* at_birth) const;

  Mounts mounts_;
  std::vector<Step> steps_;
};

}  // namespace sandbox
