// Room below a stopped thread's stack pointer, for structures of a call that it is to make.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/ptrace_requests.h"
#include "sandbox/guest_memory.h"
#include "sandbox/result.h"

namespace sandbox::platform {

// Right under the ABI's red zone, aligned for any structure: the stacks of Go's goroutines are small. A
// signal handler may overwrite it as soon as the thread runs on.
uint64_t stack_room(const Registers& registers, size_t size);
// Grows the stack where an access of the thread's own would. Errors: EFAULT, ESRCH.
Result<void> write_stack_room(pid_t tid, GuestMemory& memory, uint64_t address,
                              std::span<const std::byte> bytes);

}  // namespace sandbox::platform
