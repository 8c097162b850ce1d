// Running the hooks of a configuration: programs of the host that engines and plug-ins want to have run.
#pragma once

#include <string>
#include <vector>

#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

// One after the other, each with `state` on its standard input; the first that fails ends it. With a
// `namespaces_of` process they run in its network, IPC and UTS namespaces. What they print is dropped, but
// for the end of what a failed one wrote to standard error. Failures: it cannot be executed, exits with
// another code than 0, is killed, or runs longer than its timeout.
Configured<void> run_hooks(const std::vector<Hook>& hooks, const char* kind, const std::string& state,
                           pid_t namespaces_of = 0);

}  // namespace sandbox::tools::oci
