// The OCI runtime's command line: global options, then a command. Engines call it as they call runc.
#pragma once

#include <span>
#include <string>

#include "tools/oci/arguments.h"
#include "tools/oci/bundle.h"
#include "tools/oci/container_store.h"
#include "tools/oci/runtime_log.h"

namespace sandbox::tools::oci {

struct Runtime {
  ContainerStore store;
  const RuntimeLog& log;
};

// Its exit code, or what went wrong (exit code 1, and the last line of the log).
using Command = Configured<int> (*)(const Runtime& runtime, const Arguments& arguments);

Configured<int> command_create(const Runtime&, const Arguments&);    // create.cpp
Configured<int> command_run(const Runtime&, const Arguments&);       // run.cpp
Configured<int> command_start(const Runtime&, const Arguments&);     // start.cpp
Configured<int> command_state(const Runtime&, const Arguments&);     // state.cpp
Configured<int> command_list(const Runtime&, const Arguments&);      // state.cpp
Configured<int> command_exec(const Runtime&, const Arguments&);      // exec.cpp
Configured<int> command_kill(const Runtime&, const Arguments&);      // kill.cpp
Configured<int> command_delete(const Runtime&, const Arguments&);    // delete.cpp
Configured<int> command_ps(const Runtime&, const Arguments&);        // ps.cpp
Configured<int> command_pause(const Runtime&, const Arguments&);     // pause.cpp
Configured<int> command_resume(const Runtime&, const Arguments&);    // pause.cpp
Configured<int> command_update(const Runtime&, const Arguments&);    // update.cpp
Configured<int> command_events(const Runtime&, const Arguments&);    // events.cpp
Configured<int> command_spec(const Runtime&, const Arguments&);      // spec.cpp
Configured<int> command_features(const Runtime&, const Arguments&);  // features.cpp

// Whether a command line of the `sandbox` command is one for the runtime, although it has a verb of the same
// name: it begins with a global option, or names a container.
bool is_for_runtime(int argc, char** argv);
int runtime_main(int argc, char** argv);

// The one word that is the container's id. Failures: there is none, or more.
Configured<std::string> container_id(const Arguments& arguments);

}  // namespace sandbox::tools::oci
