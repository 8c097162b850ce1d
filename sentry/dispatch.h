// From a call's number to its handler, both from the system call table.
#pragma once

#include "sentry/call.h"

namespace sandbox {

// Errors: ENOSYS for a number whose row is not EMULATE (the filter sends none), else the handler's.
SyscallResult dispatch(Call& call);

// Whether this is a call that the sentry answers and that Linux never makes wait: EINTR is no answer to it.
bool never_waits(uint32_t syscall_number);

}  // namespace sandbox
