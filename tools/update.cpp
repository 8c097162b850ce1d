// `sandbox update`: changes the limits of a running sandbox; inside they are seen at once.
#include <fmt/format.h>

#include "sentry/cgroup/limit_check.h"
#include "sentry/cgroup/limit_files.h"
#include "tools/limit_options.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

Parsed<void> update(const std::string& name, const LimitOptions& options) {
  cgroup::Limits limits = TRY(parse_limits(options));
  if (limits.is_empty())
    return std::unexpected(
        RunFailure{.doing = fmt::format("update {}", printable(name)),
                   .reason = "no limit is named",
                   .advice = fmt::format("sandbox update {} --memory 1g", printable(name))});
  if (auto checked = check_limits(limits, cgroup::Machine::of_caller()); !checked) return checked;
  lifecycle::RunningSandbox sandbox = TRY(find_sandbox(name));
  auto failures = write_limits(sandbox.groups(), limits);
  if (failures.empty()) return {};
  return std::unexpected(RunFailure{
      .doing = fmt::format("set {} of {}", option_name(failures[0].kind), printable(name)),
      .reason = failures[0].reason,
      .advice = "a value that the sandbox's present use allows; or start it again with the limit"});
}

}  // namespace

int verb_update(int argc, char** argv) {
  std::string name;
  LimitOptions options;
  CLI::App app("Change limits of a running sandbox. Those that are not named stay; `max` lifts one.",
               "update");
  set_usage(app, "sandbox update [OPTIONS] NAME");
  add_limit_options(app, options);
  app.add_option("NAME", name, "what `run --name` called it")->required();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  auto done = update(name, options);
  return done ? 0 : report(done.error());
}

}  // namespace sandbox::tools
