// Creating a container: everything up to its first process, which then waits for `start`.
#pragma once

#include <string>

#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

struct CreateOptions {
  std::string id, bundle, pid_file, console_socket;
  int preserved_descriptors = 0;
  // Where the terminal of a container goes for which there is no console socket: to the caller, over this.
  UniqueFd own_console;
};

// Options that `create` and `run` share.
std::span<const Option> create_options();
Configured<CreateOptions> read_create_options(const Arguments& arguments);

// The container exists when this returns; on failure nothing of it is left. Its first process and its sentry
// are children of the caller.
Configured<ContainerRecord> create_container(const Runtime& runtime, CreateOptions options);
// Lets its program run, and runs the poststart hooks.
Configured<void> start_container(const Runtime& runtime, const std::string& id);
// With kYes whatever it takes.
enum class Force { kNo, kYes };
Configured<void> delete_container(const Runtime& runtime, const std::string& id, Force force);

// What goes wrong is a warning.
void run_poststop_hooks(const Hooks& hooks, const ContainerRecord& record, const RuntimeLog& log);

// Written whole under another name, then renamed. Failures: those of open, write, rename.
Configured<void> write_pid_file(const std::string& path, pid_t pid);

}  // namespace sandbox::tools::oci
