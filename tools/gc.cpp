// `sandbox gc`: removes what killed sandboxes left behind.
#include <fmt/format.h>

#include "sentry/lifecycle/leftovers.h"
#include "tools/command_line.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {

int verb_gc(int argc, char** argv) {
  CLI::App app("Remove what killed sandboxes left behind: processes, control groups, records.", "gc");
  set_usage(app, "sandbox gc");
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  auto state = open_state_directory();
  if (!state) return report(state.error());
  int exit_code = 0;
  for (const lifecycle::Cleaned& cleaned : lifecycle::clean_leftovers(*state)) {
    fmt::print("{}: {} control group{} removed\n", printable(cleaned.name), cleaned.groups.size(),
               cleaned.groups.size() == 1 ? "" : "s");
    for (const std::string& problem : cleaned.problems)
      exit_code = report({.doing = fmt::format("clean up after {}", printable(cleaned.name)),
                          .reason = problem,
                          .advice = "as the user who started it, or as root"});
  }
  return exit_code;
}

}  // namespace sandbox::tools
