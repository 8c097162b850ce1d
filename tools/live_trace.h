// Traces of sandboxes that run already: the sentry's side and the command's.
#pragma once

#include <string>
#include <vector>

#include "sentry/sandbox_config.h"
#include "tools/trace_findings.h"
#include "tools/trace_options.h"

namespace sandbox::tools {

// For SandboxConfig: a trace with these options of `sandbox trace`.
std::expected<std::unique_ptr<LiveTrace>, RunFailure> begin_live_trace(std::vector<std::string> options,
                                                                       UniqueFd output);

// `sandbox trace -p NAME`: until the sandbox ends, or a signal ends the trace. The exit code.
int trace_named_sandbox(const std::string& name, const TraceOptions& options, TraceFindings& findings);

}  // namespace sandbox::tools
