// `sandbox resume`: lets a paused sandbox go on.
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {

int verb_resume(int argc, char** argv) {
  return act_on_named(argc, argv, "resume", "Let a paused sandbox go on.",
                      [](const lifecycle::RunningSandbox& sandbox) { return sandbox.resume(); });
}

}  // namespace sandbox::tools
