// Reading /proc/PID/status, stat and cmdline.
#include "sentry/lifecycle/process_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "platform/host_file.h"
#include "sandbox/numbers.h"
#include "sandbox/process_stat.h"
#include "sentry/cgroup/numbers.h"

namespace sandbox::lifecycle {

namespace {

using cgroup::take_line;
using cgroup::take_word;

uint64_t number_after_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return leading_number<uint64_t>(text).value_or(0);
}

void read_status(std::string_view text, ListedProcess& process) {
  constexpr uint64_t kKibibyte = 1024;
  while (!text.empty()) {
    std::string_view line = take_line(&text);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view key = line.substr(0, colon), value = line.substr(colon + 1);
    if (key == "Name" && process.command.empty()) process.command = fmt::format("[{}]", value.substr(1));
    if (key == "State" && value.size() > 1) process.state = value[1];
    if (key == "Uid") process.uid = static_cast<uid_t>(number_after_blanks(value));
    if (key == "VmRSS") process.resident_bytes = number_after_blanks(value) * kKibibyte;
    if (key == "Threads") process.threads = static_cast<unsigned>(number_after_blanks(value));
    if (key == "NSpid")
      process.pid = static_cast<pid_t>(number_after_blanks(value.substr(value.rfind('\t'))));
  }
}

uint64_t cpu_ticks_in(std::string_view stat) {
  const auto ticks = [&](StatField field) {
    return parse_number<uint64_t>(stat_field(stat, field)).value_or(0);
  };
  return ticks(StatField::kUserTicks) + ticks(StatField::kSystemTicks);
}

std::optional<ListedProcess> read_process(pid_t host_pid) {
  const std::string folder = fmt::format("/proc/{}/", host_pid);
  auto status = platform::read_host_file(folder + "status");
  auto stat = platform::read_host_file(folder + "stat");
  if (!status || !stat) return std::nullopt;
  ListedProcess process{.host_pid = host_pid};
  if (auto words = platform::read_host_file(folder + "cmdline"); words && !words->empty()) {
    process.command = *std::move(words);
    if (process.command.ends_with('\0')) process.command.pop_back();
    std::ranges::replace(process.command, '\0', ' ');
  }
  read_status(*status, process);
  process.cpu_ticks = cpu_ticks_in(*stat);
  return process;
}

}  // namespace

std::vector<ListedProcess> list_processes(const std::vector<pid_t>& host_pids) {
  std::vector<ListedProcess> processes;
  for (pid_t host_pid : host_pids)
    if (auto process = read_process(host_pid)) processes.push_back(*std::move(process));
  std::ranges::sort(processes, {}, &ListedProcess::pid);
  return processes;
}

}  // namespace sandbox::lifecycle
