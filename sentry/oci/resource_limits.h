// The resource limits of a container's process that are above what the caller itself may have.
#pragma once

#include <string>
#include <vector>

#include "sentry/failure.h"
#include "sentry/oci/container_config.h"

namespace sandbox::oci {

// The number of "RLIMIT_NOFILE"; nothing for any other word. setrlimit(2).
std::optional<int> resource_number(const std::string& name);

// Raises this process's hard limits so far that a child can set `limits`: afterwards, in a user namespace, it
// cannot. The limits that can be set then: with kClamp those too high are cut. Failures name the limit.
Configured<std::vector<platform::ResourceLimit>> raise_hard_limits(
    const std::vector<platform::ResourceLimit>& limits, ContainerConfig::LimitsAbove above);

}  // namespace sandbox::oci
