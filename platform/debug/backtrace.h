// Backtraces of the sentry itself, for internal errors.
#pragma once

namespace sandbox::platform {

// Prints this thread's call chain to standard error, innermost first.
void print_backtrace();

// Makes a failed SANDBOX_CHECK print one.
void install_check_failure_backtrace();

}  // namespace sandbox::platform
