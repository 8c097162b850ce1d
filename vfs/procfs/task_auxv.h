// /proc/PID/auxv of programs that were not started by the host kernel itself.
#pragma once

#include "vfs/procfs/context.h"

namespace sandbox::vfs {

// The vector that the program found on its stack; the kernel's record where there is no other.
// Errors: ESRCH, EACCES.
Result<std::string> read_program_auxv(const TaskContext& context);

}  // namespace sandbox::vfs
