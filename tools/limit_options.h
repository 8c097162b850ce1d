// The options that limit a sandbox, for `run` and `update`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sentry/cgroup/limits.h"
#include "tools/command_line.h"
#include "tools/run_options.h"

namespace sandbox::tools {

// As typed.
struct LimitOptions {
  std::optional<std::string> memory, memory_swap, cpus, cpuset, cpu_weight, pids, io_weight;
  std::vector<std::string> io;
};
void add_limit_options(CLI::App& app, LimitOptions& options);

// Form only: whether a limit makes sense on this machine is for check_limits. `max` lifts a limit where there
// is one to lift.
Parsed<cgroup::Limits> parse_limits(const LimitOptions& options);

}  // namespace sandbox::tools
