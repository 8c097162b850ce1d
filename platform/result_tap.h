// ResultTap: what system calls return and write, learnt without a stop at their end.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "platform/call_observer.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// A BPF program at the kernel's sys_exit tracepoint notes the results of the calls that were asked for, and
// only those, and copies what they wrote before the thread goes on. While it is there every call of the
// machine runs through it, which costs some 0.1 us.
//
// Each thread waits for one result at most, and there is room for as many results as threads: none is lost.
class ResultTap {
 public:
  // Errors: EPERM (needs CAP_BPF and CAP_PERFMON in the first user namespace), EXDEV (the kernel would number
  // threads otherwise than we do: not in the first PID namespace).
  static Result<std::unique_ptr<ResultTap>> create();
  ~ResultTap();
  ResultTap(const ResultTap&) = delete;
  ResultTap& operator=(const ResultTap&) = delete;

  // At once, instead of after some questions. Errors: those of bpf(2).
  Result<void> open();

  // The thread is stopped at the entry of a call, whose result is to be noted. False: it must stop at the
  // end, as nothing is noted yet or another thread has its place.
  bool ask(pid_t tid, const OutputRanges& outputs);
  // Its result is not wanted any more; one that has been noted stays.
  void drop(pid_t tid);

  struct Noted {
    pid_t tid;
    int64_t result;         // as the register says
    uint64_t time_ns;       // CLOCK_MONOTONIC
    CopiedOutputs outputs;  // until the next ask()
  };
  // The next one, in the order in which the calls returned.
  std::optional<Noted> next();

 private:
  static constexpr size_t kRanges = std::tuple_size_v<OutputRanges>;
  struct Place {
    uint32_t tid;
    uint32_t is_asked;
    uint64_t address[kRanges];
    uint32_t size[kRanges], copied[kRanges];
    std::byte bytes[kRanges][OutputRange::kLargest];
    // The kernel's verifier adds up the largest size of each of two copies.
    std::byte unused[OutputRange::kLargest];
  };
  static_assert(sizeof(Place) % 8 == 0);  // so the map has them side by side
  static constexpr uint32_t kPlaces = 1 << 9;
  struct Record {
    int64_t tid, result;
    uint64_t time_ns;
  };
  // Loading takes 0.6 ms, and opening the tracepoint anew waits for all CPUs when somebody has just closed it
  // (11 ms), so it is done besides, and for a short program not at all.
  static constexpr uint32_t kQuestionsBeforeOpening = 64;
  static constexpr size_t kRingBytes = size_t{1} << 15;
  // The kernel puts a header of 8 bytes before each, and never fills the ring quite.
  static_assert(kPlaces * (sizeof(Record) + 8) < kRingBytes);

  ResultTap() = default;
  Result<void> map();
  Result<void> load();

  UniqueFd places_map_, ring_map_, program_, link_;
  Place* places_ = nullptr;
  std::byte* consumer_ = nullptr;         // the page of the reader's position
  const std::byte* producer_ = nullptr;   // that of the writer's, then the records, twice
  std::array<pid_t, kPlaces> waiting_{};  // whose result a place is for, until it is told; 0: it is free
  uint32_t questions_ = 0;
  std::atomic<bool> is_open_{false};
  std::jthread opener_;  // last: it ends before what it uses
};

}  // namespace sandbox::platform
