// The seccomp filters of the engines, and the descriptor number they protect.
#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

#include "platform/call_observer.h"
#include "platform/platform.h"
#include "sandbox/syscall_policy.h"

namespace sandbox::platform {

// The ptrace engine's socket in every workload process. The filter answers every call that names it with
// EBADF, but recvmsg with RET_TRACE: the kernel asks the filter again about a call that the tracer has put in
// place. A close_range that covers it is RET_TRACE too: the engine closes around it.
inline constexpr int kReservedFd = 1000;

// What the kernel does with each call of a workload, computed from the syscall table while compiling. EMULATE
// is RET_USER_NOTIF or, on the ptrace engine, RET_TRACE, and so are the loader's call and, where the sentry
// keeps ids, PASS_IDS; any other EXEC is RET_TRACE on both; a number without a row, x32 and other
// architectures get ENOSYS. A filter of the workload's own may send any other call to the tracer with any
// data word: decide_syscall() says which stops the table asked for. Valid for ever.
std::span<const sock_filter> filter_for(EngineKind kind, IdKeeper id_keeper = IdKeeper::kKernel);

// The same, but calls of `traced` that pass or fail are RET_TRACE with kTracedCall as their event's message:
// the tracer shows them and then does what decide_call says. Those that are not traced are as fast as ever.
// The loader's last call is RET_TRACE too.
std::vector<sock_filter> tracing_filter_for(EngineKind kind, IdKeeper id_keeper, const CallSet& traced);
inline constexpr uint16_t kTracedCall = 0x7ace;

// What filter_for's filter does with a call that is not for a handler: decide_syscall, PASS_IDS as PASS, and
// EBADF for the engine's own descriptor.
Action decide_call(EngineKind kind, uint32_t number, const std::array<uint64_t, 6>& registers);

}  // namespace sandbox::platform
