// Stopping every process of a group, and letting them go on.
#pragma once

#include <string>

#include "sentry/cgroup/directories.h"
#include "sentry/failure.h"

namespace sandbox::cgroup {

// `groups` are of the sandbox alone; `name` is for the words of a failure. The v2 freezer is used where there
// is one: what it stopped can still be killed, which v1's cannot. Within ten seconds, or not at all.
Configured<void> freeze(const CgroupDirectories& groups, const std::string& name);
Configured<void> thaw(const CgroupDirectories& groups, const std::string& name);
bool is_frozen(const CgroupDirectories& groups);
// Whether somebody else's group above stops what is in them in the v1 freezer, and would stop its death.
bool is_frozen_from_above(const CgroupDirectories& groups);

}  // namespace sandbox::cgroup
