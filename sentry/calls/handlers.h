// The handler of every emulated call, declared from its row in syscalls.def.
#pragma once

#include "sandbox/syscall_types.h"
#include "sentry/call.h"
#include "sentry/sentry.h"

namespace sandbox {

#define SYSCALL(number, name, policy, signature, note) HandlerOf<SyscallResult, Call, signature> sys_##name;
#include "sandbox/syscalls.def"

}  // namespace sandbox
