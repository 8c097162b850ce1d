// A process that enters the namespaces of a running workload from outside, to become a part of it.
#pragma once

#include <string>

#include "platform/platform.h"

namespace sandbox::platform {

struct JoinedProcess {
  pid_t tid = 0;
  UniqueFd pidfd;
  UniqueFd channel;  // for Platform::adopt; it closes at the process's exec
};

// Makes a child of the caller in every namespace of `target`, a process of the workload. It has the ids,
// capabilities and descriptors of `options` and waits to be adopted by the workload's sentry; when the last
// copy of the channel closes before that, it ends. `reserved_socket`: Platform's. Errors: of any step;
// `context` names it.
Result<JoinedProcess> join_workload(pid_t target, const LaunchOptions& options, int reserved_socket,
                                    std::string& context);
// Once it is adopted: waits until it executes its program. Errors: why it does not; `context` names the step.
Result<void> wait_for_exec(const JoinedProcess& process, std::string& context);

}  // namespace sandbox::platform
