// `sandbox pause`: stops every process of a running sandbox.
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {

int verb_pause(int argc, char** argv) {
  return act_on_named(argc, argv, "pause", "Stop every process of a sandbox until `sandbox resume`.",
                      [](const lifecycle::RunningSandbox& sandbox) { return sandbox.pause(); });
}

}  // namespace sandbox::tools
