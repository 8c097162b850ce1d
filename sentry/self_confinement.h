// What the sentry gives up about itself before the workload runs, and what it takes for itself.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "sandbox/result.h"

namespace sandbox {

// Raises the soft limit of open files to the hard one; what it was before. Errors: none that matter.
rlimit raise_descriptor_limit();
// Gives a process of the workload the limit back. Errors: ESRCH, EPERM.
Result<void> set_descriptor_limit(pid_t host_pid, const rlimit& limit);

// After set-up: no new privileges, not dumpable, only the capabilities that file ownership, looking into
// the workload and mounting for it need, and a seccomp filter of its own: no execve, no namespaces, no
// network, nothing that changes the machine. For this thread and those it makes. Errors: EPERM.
Result<void> confine_sentry();

}  // namespace sandbox
