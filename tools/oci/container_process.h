// A further process of a container: what `exec` starts, and what a startContainer hook is.
#pragma once

#include <string>
#include <vector>

#include "platform/joined_launch.h"
#include "sentry/oci/exec_request.h"
#include "tools/oci/bundle.h"
#include "tools/oci/container_store.h"

namespace sandbox::tools::oci {

struct ContainerProcessOptions {
  // What is executed; empty: the first of the description's args.
  std::string program;
  std::vector<platform::PassedFd> descriptors;
  platform::LaunchOptions::Session session = platform::LaunchOptions::Session::kOwn;
};

// Starts it as a child of the caller, in the namespaces and groups of the container and under its sentry,
// which `control` is connected to and gave the terms. It has executed its program when this returns; on
// failure there is no process. Failures name the step.
Configured<pid_t> start_container_process(const ContainerRecord& record, const Bundle& bundle,
                                          const Process& description, const UniqueFd& control,
                                          const sandbox::oci::JoinTerms& terms,
                                          const ContainerProcessOptions& options);

}  // namespace sandbox::tools::oci
