// What hinders tracing, in words.
#pragma once

#include <string>

#include "sentry/failure.h"

namespace sandbox {

// `doing` failed because a process that this one has made could not be traced, or for another reason, which
// `advice` is about. A process has one tracer: a debugger of this process that follows its children comes
// first.
std::unexpected<RunFailure> tracing_failure(std::string doing, Errno error, std::string advice);

}  // namespace sandbox
