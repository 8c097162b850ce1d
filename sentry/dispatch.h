// From a call's number to its handler, both from the system call table.
#pragma once

#include "sentry/call.h"

namespace sandbox {

// Errors: ENOSYS for a number whose row is not EMULATE (the filter sends none), else the handler's.
SyscallResult dispatch(Call& call);

// Whether Linux lets a signal end this call's wait, so that EINTR is a proper answer.
bool may_wait(uint32_t syscall_number);

}  // namespace sandbox
