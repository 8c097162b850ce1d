// TerminalRelay: carries bytes between the caller's terminal and a container's, for commands in the
// foreground.
#pragma once

#include <sys/types.h>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

// The master that comes over `socket`, as a console socket gets it. Errors: EPIPE: it was closed before.
Result<UniqueFd> receive_console(int socket);

// Until the process behind `pidfd` has ended and what it wrote is shown. The caller's terminal is raw
// meanwhile, and its size is the container's. What is not a terminal is carried as it is.
void relay_terminal(UniqueFd master, int pidfd);

}  // namespace sandbox::tools::oci
