// AlteredCall: a call that an intervention has changed at its entry, and whose changes are taken back at its
// end.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "platform/call_observer.h"
#include "platform/ptrace_requests.h"

namespace sandbox::platform {

class AlteredCall {
 public:
  // What the kernel is to find in the registers of a call that is to run: those of `event`, which are in
  // `registers`, are changed; the caller sets them. Nothing when the intervention changes none, or when its
  // array cannot be written to the thread's stack: the call then runs as the program asked for.
  static std::optional<AlteredCall> with_arguments(const Intervention& wanted, const SyscallEvent& event,
                                                   Registers& registers);
  // The same for a call that is to return `result` without running, where a stop at its end is certain.
  // Instead of it the kernel runs a read of no descriptor, which every filter of a program's own allows.
  static AlteredCall with_result(int64_t result, const SyscallEvent& event, Registers& registers);

  // At the end: the registers as the program is to find them.
  void restore(Registers& registers) const;

 private:
  void change(Registers& registers, size_t argument, uint64_t value);

  std::vector<std::pair<size_t, uint64_t>> former_;  // by the index of the argument
  std::optional<int64_t> result_;
};

}  // namespace sandbox::platform
