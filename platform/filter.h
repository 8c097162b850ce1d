// The seccomp filters of the engines, and the descriptor number they protect.
#pragma once

#include <linux/filter.h>

#include <span>

#include "platform/platform.h"

namespace sandbox::platform {

// The ptrace engine's socket in every workload process. The filter answers every call that names it with EBADF,
// but recvmsg with RET_TRACE: the kernel asks the filter again about a call that the tracer has put in place.
inline constexpr int kReservedFd = 1000;
// Valid for ever.
std::span<const sock_filter> filter_for(EngineKind kind);

}  // namespace sandbox::platform
