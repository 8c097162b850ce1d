// CallObserver: what a trace is told of a workload's system calls, births, signals and deaths.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "platform/intercepted_call.h"

namespace sandbox::platform {

// A set of system call numbers. Those beyond the table, which all mean the same, are one member.
class CallSet {
 public:
  static constexpr uint32_t kLimit = 1024;  // numbers from here on are one

  static constexpr CallSet all() {
    CallSet set;
    for (uint32_t number = 0; number <= kLimit; ++number) set.add(number);
    return set;
  }
  constexpr void add(uint32_t number) { words_[place(number) / 64] |= bit(number); }
  constexpr void remove(uint32_t number) { words_[place(number) / 64] &= ~bit(number); }
  constexpr void add(const CallSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  constexpr void remove(const CallSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
  }
  constexpr bool contains(uint32_t number) const { return (words_[place(number) / 64] & bit(number)) != 0; }
  constexpr bool is_empty() const { return words_ == decltype(words_){}; }

 private:
  static constexpr uint32_t place(uint32_t number) { return number < kLimit ? number : kLimit; }
  static constexpr uint64_t bit(uint32_t number) { return uint64_t{1} << (place(number) % 64); }
  std::array<uint64_t, kLimit / 64 + 1> words_{};
};

// An event's number for a call by the conventions of another architecture (int 0x80, a 32-bit program), where
// numbers mean other calls: with a mark in its upper bits that no call of x86-64 has.
inline constexpr uint32_t kForeignMark = 0xf8600000, kForeignMarkBits = 0xfff00000;
constexpr uint32_t foreign_call(uint32_t number) {
  return kForeignMark | std::min(number, ~kForeignMarkBits);
}
constexpr bool is_foreign_call(uint32_t number) { return (number & kForeignMarkBits) == kForeignMark; }

// What becomes of a call besides, or instead of, what the program asked for.
struct Intervention {
  std::optional<int64_t> result;  // it does not run and returns this
  int signal = 0;                 // sent to the thread before
  uint64_t delay_ns = 0;          // it waits so long first
  // The kernel finds this in the register of the argument with that index.
  std::optional<std::pair<size_t, uint64_t>> argument;
  // When it is not empty, the kernel finds this array instead of a vector call's own: where it is and how
  // long it is are neighbours.
  std::vector<iovec> vector;
  static constexpr size_t kVectorArgument = 1;

  bool does_something() const {
    return result || signal != 0 || delay_ns != 0 || argument || !vector.empty();
  }
};

// Of what a call writes: at most so many bytes from there on.
struct OutputRange {
  static constexpr uint32_t kLargest = 400;  // struct utsname has 390
  uint64_t address = 0;
  uint32_t size = 0;
};
// Those of one call; unused ones are empty.
using OutputRanges = std::array<OutputRange, 2>;

// The range's bytes as they were when the call had returned; fewer where memory ends.
struct CopiedOutput {
  uint64_t address = 0;
  std::span<const std::byte> bytes;
};
using CopiedOutputs = std::array<CopiedOutput, std::tuple_size_v<OutputRanges>>;

// Told while the thread in question is stopped or waits for its answer, so that its memory can be read. From
// any engine thread, two at once for different threads of the workload. Ids are the sentry's PID namespace's.
class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // The thread is about to make a call of the traced set. `registers` is null where the engine does not know
  // them. kNone: on_return is not asked for, and no stop is made for it. kResult: on_result does as well,
  // when it is given outputs_of().
  enum class Interest { kNone, kReturn, kResult };
  virtual Interest on_call(const SyscallEvent& event, GuestMemory& memory,
                           const user_regs_struct* registers) = 0;
  // Asked for at most once after each on_call, by the same thread.
  virtual std::optional<Intervention> take_intervention(pid_t tid) {
    (void)tid;
    return std::nullopt;
  }
  // Asked for at most once after an on_call that said kResult, by the same thread.
  virtual OutputRanges outputs_of(pid_t tid) = 0;
  // The call that on_call told of returned this, as the register says (so also -ERESTARTSYS).
  virtual void on_return(pid_t tid, int64_t result, GuestMemory& memory) = 0;
  // The same for one that said kResult: told later, while the thread may run or have ended, but in the order
  // in which calls return, and before anything else of this thread. `time_ns`: when it did, CLOCK_MONOTONIC.
  virtual void on_result(pid_t tid, int64_t result, uint64_t time_ns, const CopiedOutputs& outputs) = 0;
  // It goes on without the engine, which will not learn what it returns.
  virtual void on_lost(pid_t tid) = 0;

  // A thread or process; its own events may have come before.
  virtual void on_birth(pid_t parent, pid_t child) = 0;
  // The exec that thread `maker` asked for came through; it now has its group's id, and the others are gone.
  virtual void on_exec(pid_t maker, pid_t group) = 0;
  // A signal is about to be delivered.
  virtual void on_signal(pid_t tid, const siginfo_t& info, const user_regs_struct& registers) = 0;
  // Job control stopped it.
  virtual void on_group_stop(pid_t tid, int signal) = 0;
  // `wait_status` as waitpid gives it.
  virtual void on_death(pid_t tid, int wait_status) = 0;
};

// Who watches which calls.
struct Watch {
  CallObserver& observer;
  CallSet traced;
};

}  // namespace sandbox::platform
