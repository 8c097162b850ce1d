// Running the hooks of a configuration: programs of the host that engines and plug-ins want to have run.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

// What a hook's process has as its standard input and error.
struct HookStreams {
  int input, errors;
};
// Starts the process of a hook: a child of the caller that leads a session of its own.
using HookStarter = std::function<Configured<pid_t>(const Hook&, const HookStreams&)>;

// Where the container's own part of the host is, for createContainer hooks.
struct ContainerPlace {
  pid_t process;       // in whose network, IPC and UTS namespaces they run
  pid_t sentry;        // in whose mount namespace, which still shows the host's files
  std::string rootfs;  // where they start: the container's files, also those that they mount there
};

// On the host, as the caller.
Configured<pid_t> start_on_host(const Hook& hook, const HookStreams& streams);
// In the container's namespaces, before it has files of its own.
HookStarter start_before_tree(ContainerPlace place);

// One after the other, each with `state` on its standard input; the first that fails ends it. What they print
// is dropped, but for the end of what a failed one wrote to standard error. Failures: it cannot be executed,
// exits with another code than 0, is killed, or runs longer than its timeout.
Configured<void> run_hooks(const std::vector<Hook>& hooks, const char* kind, const std::string& state,
                           const HookStarter& start = start_on_host);

}  // namespace sandbox::tools::oci
