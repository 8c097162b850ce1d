// Signals as values, also for who reports a signal that a program got.
#pragma once

#include <csignal>
#include <cstdint>

#include "sentry/trace/value.h"

namespace sandbox::trace {

// "SIGINT", "SIGRTMIN", "SIGRT_3"; empty for a number that is no signal.
std::string signal_name(int signal);
Value signal_value(int signal);
// {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL}
Value siginfo_value(const siginfo_t& info);
// [INT TERM], inverted when most are in it.
Value signal_set_value(uint64_t mask);

}  // namespace sandbox::trace
