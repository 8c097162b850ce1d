// The running sandboxes that a verb is about.
#pragma once

#include <string>
#include <vector>

#include "sentry/lifecycle/running_sandbox.h"
#include "tools/run_options.h"

namespace sandbox::tools {

Parsed<lifecycle::StateDirectory> open_state_directory();

Parsed<lifecycle::RunningSandbox> find_sandbox(const std::string& name);

// Those of `names`, or all that run when there are none; in that case one that ends meanwhile is left out.
Parsed<std::vector<lifecycle::RunningSandbox>> find_sandboxes(const std::vector<std::string>& names);

// "running" or "paused".
const char* state_of(const lifecycle::RunningSandbox& sandbox);

// The program and its arguments, as one line for a terminal.
std::string command_of(const lifecycle::SandboxRecord& record);

// Runs `action` on each of the sandboxes that the arguments of `verb` name; the exit code.
int act_on_named(int argc, char** argv, const char* verb, const char* summary,
                 Parsed<void> (*action)(const lifecycle::RunningSandbox&));

}  // namespace sandbox::tools
