// SANDBOX_CHECK: an assertion that stays on in release builds; a failure is our bug and ends the whole
// sandbox.
#pragma once

#include <source_location>

namespace sandbox {

// Prints the condition, its place and a backtrace to standard error and ends the process at once;
// the workload dies with it (PTRACE_O_EXITKILL).
[[noreturn]] void check_failed(const char* condition, const char* explanation,
                               std::source_location where = std::source_location::current());

// Called by check_failed before it aborts; platform/debug installs a libunwind backtrace printer.
void set_check_failure_hook(void (*hook)());

}  // namespace sandbox

#define SANDBOX_CHECK(condition, explanation)           \
  do {                                                  \
    if (!(condition)) [[unlikely]]                      \
      ::sandbox::check_failed(#condition, explanation); \
  } while (false)
