// Finding the program that the command line names, inside the sandbox.
#pragma once

#include <string>
#include <vector>

#include "sentry/failure.h"
#include "vfs/core/vfs.h"

namespace sandbox {

// The path to execute: `name` itself when it has a slash, else the first executable in the PATH of
// `environment`, as execvp(3) chooses. Failures: exit code 127 when nothing has the name, 126 when
// what has it cannot be executed.
Configured<std::string> find_program(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& name,
                                     const std::vector<std::string>& environment);

// Why execve of `path` failed, in words, with its exit code.
RunFailure explain_exec_failure(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& path,
                                Errno error);

}  // namespace sandbox
