// A container's process that this command waits for, as a shell does.
#pragma once

#include <sys/types.h>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

// `process` is a child of the caller. Passes the caller's signals on to it, and with an open `console` (the
// socket on which the terminal comes) its terminal. Its exit code, 128 + N for signal N.
int wait_in_foreground(pid_t process, UniqueFd console);

}  // namespace sandbox::tools::oci
