// `sandbox ps`: the running sandboxes, or the processes of one.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "sentry/lifecycle/process_list.h"
#include "tools/command_line.h"
#include "tools/json_text.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

std::string time_in_words(int64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

void print_sandboxes(const std::vector<lifecycle::RunningSandbox>& sandboxes) {
  fmt::print("{:<20} {:<8} {:>8} {:>9} {:>8}  {}\n", "NAME", "STATE", "SENTRY", "PROCESSES", "FOR",
             "COMMAND");
  for (const auto& sandbox : sandboxes) {
    const lifecycle::SandboxRecord& record = sandbox.record();
    fmt::print("{:<20} {:<8} {:>8} {:>9} {:>8}  {}\n", record.name, state_of(sandbox), record.owner,
               sandbox.processes().size(), time_in_words(::time(nullptr) - record.started_s),
               command_of(record));
  }
}

void print_sandboxes_as_json(const std::vector<lifecycle::RunningSandbox>& sandboxes) {
  auto document = nlohmann::ordered_json::array();
  for (const auto& sandbox : sandboxes) {
    const lifecycle::SandboxRecord& record = sandbox.record();
    document.push_back({{"name", record.name},
                        {"state", state_of(sandbox)},
                        {"sentry", record.owner},
                        {"init", record.init},
                        {"program", record.program},
                        {"started", record.started_s},
                        {"processes", sandbox.processes().size()},
                        {"command", record.argv}});
  }
  fmt::print("{}\n", json_document(document));
}

void print_processes(const std::vector<lifecycle::ListedProcess>& processes) {
  const long ticks_per_s = ::sysconf(_SC_CLK_TCK);
  fmt::print("{:>6} {:>9} {:>7} {:>2} {:>8} {:>10} {:>9}  {}\n", "PID", "HOST PID", "UID", "S", "THREADS",
             "RESIDENT", "CPU TIME", "COMMAND");
  for (const lifecycle::ListedProcess& process : processes)
    fmt::print("{:>6} {:>9} {:>7} {:>2} {:>8} {:>10} {:>8.2f}s  {}\n", process.pid, process.host_pid,
               process.uid, process.state, process.threads, size_in_words(process.resident_bytes),
               static_cast<double>(process.cpu_ticks) / static_cast<double>(ticks_per_s),
               printable(process.command));
}

void print_processes_as_json(const std::vector<lifecycle::ListedProcess>& processes) {
  const long ticks_per_s = ::sysconf(_SC_CLK_TCK);
  auto document = nlohmann::ordered_json::array();
  for (const lifecycle::ListedProcess& process : processes)
    document.push_back({{"pid", process.pid},
                        {"host_pid", process.host_pid},
                        {"uid", process.uid},
                        {"state", std::string(1, process.state)},
                        {"threads", process.threads},
                        {"resident_bytes", process.resident_bytes},
                        {"cpu_s", static_cast<double>(process.cpu_ticks) / static_cast<double>(ticks_per_s)},
                        {"command", process.command}});
  fmt::print("{}\n", json_document(document));
}

}  // namespace

int verb_ps(int argc, char** argv) {
  std::string format = "table", name;
  CLI::App app("List the running sandboxes that have a name or limits, or the processes of one.", "ps");
  set_usage(app, "sandbox ps [--format table|json] [NAME]");
  app.add_option("--format", format, "form of the list")->type_name("table|json")->capture_default_str();
  app.add_option("NAME", name, "what `run --name` called it");
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (format != "table" && format != "json")
    return report({.doing = "understand the command line",
                   .reason = fmt::format("{} is none of the values of --format", printable(format)),
                   .advice = "--format table|json"});
  if (name.empty()) {
    auto sandboxes = find_sandboxes({});
    if (!sandboxes) return report(sandboxes.error());
    format == "json" ? print_sandboxes_as_json(*sandboxes) : print_sandboxes(*sandboxes);
    return 0;
  }
  auto sandbox = find_sandbox(name);
  if (!sandbox) return report(sandbox.error());
  auto processes = lifecycle::list_processes(sandbox->processes());
  format == "json" ? print_processes_as_json(processes) : print_processes(processes);
  return 0;
}

}  // namespace sandbox::tools
