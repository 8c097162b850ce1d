// Finding running sandboxes by their names.
#include "tools/named_sandbox.h"

#include <fmt/format.h>

#include "tools/command_line.h"
#include "tools/messages.h"

namespace sandbox::tools {

Parsed<lifecycle::StateDirectory> open_state_directory() {
  auto state = lifecycle::StateDirectory::open();
  if (state) return *std::move(state);
  return std::unexpected(
      RunFailure{.doing = fmt::format("look into {}", lifecycle::StateDirectory::own_path()),
                 .reason = reason_of(state.error()),
                 .advice = "a directory of your own that only you can write to, in XDG_RUNTIME_DIR"});
}

Parsed<lifecycle::RunningSandbox> find_sandbox(const std::string& name) {
  auto state = open_state_directory();
  if (!state) return std::unexpected(state.error());
  auto found = lifecycle::RunningSandbox::find(*state, name);
  if (!found) found.error().doing = fmt::format("find the sandbox {}", printable(name));
  return found;
}

Parsed<std::vector<lifecycle::RunningSandbox>> find_sandboxes(const std::vector<std::string>& names) {
  std::vector<lifecycle::RunningSandbox> sandboxes;
  for (const std::string& name : names) {
    auto found = find_sandbox(name);
    if (!found) return std::unexpected(found.error());
    sandboxes.push_back(*std::move(found));
  }
  if (!names.empty()) return sandboxes;
  auto state = open_state_directory();
  if (!state) return std::unexpected(state.error());
  for (const std::string& name : state->names())
    if (auto found = lifecycle::RunningSandbox::find(*state, name)) sandboxes.push_back(*std::move(found));
  return sandboxes;
}

const char* state_of(const lifecycle::RunningSandbox& sandbox) {
  return sandbox.is_paused() ? "paused" : "running";
}

std::string command_of(const lifecycle::SandboxRecord& record) {
  std::string line;
  for (const std::string& word : record.argv)
    line += fmt::format("{}{}", line.empty() ? "" : " ", printable(word));
  return line;
}

int act_on_named(int argc, char** argv, const char* verb, const char* summary,
                 Parsed<void> (*action)(const lifecycle::RunningSandbox&)) {
  std::vector<std::string> names;
  CLI::App app(summary, verb);
  set_usage(app, fmt::format("sandbox {} NAME...", verb));
  app.add_option("NAME", names, "what `run --name` called it")->required();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  int exit_code = 0;
  for (const std::string& name : names) {
    auto sandbox = find_sandbox(name);
    auto done = sandbox ? action(*sandbox) : std::unexpected(sandbox.error());
    if (!done) exit_code = report(done.error());
  }
  return exit_code;
}

}  // namespace sandbox::tools
