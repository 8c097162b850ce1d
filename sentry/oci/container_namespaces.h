// Entering the namespaces that a configuration names by path, before the sentry has any of its own.
#pragma once

#include "sentry/failure.h"
#include "sentry/oci/container_config.h"

namespace sandbox::oci {

// The calling process, which has one thread, enters all of them but a PID namespace, which is returned opened
// (platform/pid_namespace_launcher.h; not open: there is none). What the workload does not get anew, it
// inherits. Failures name the path: it does not exist, is no namespace of that kind, or may not be entered.
Configured<UniqueFd> enter_joined_namespaces(const std::vector<JoinedNamespace>& namespaces);

}  // namespace sandbox::oci
