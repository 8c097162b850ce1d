// `sandbox stats`: what running sandboxes use, and of how much.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sentry/cgroup/limit_files.h"
#include "sentry/cgroup/usage.h"
#include "tools/command_line.h"
#include "tools/json_text.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

using cgroup::Controller;
using cgroup::HierarchyVersion;
using cgroup::kUnlimited;

// Nothing: not counted here.
struct Statistics {
  std::string name, state;
  std::optional<cgroup::MemoryUse> memory;
  std::optional<uint64_t> memory_peak, memory_kills, throttled_periods;
  std::optional<cgroup::CpuUse> cpu;
  std::optional<cgroup::CpuQuota> cpu_quota;
  std::optional<cgroup::PidsUse> pids;
  std::optional<cgroup::IoUse> io;  // of all disks
};

template <typename T>
std::optional<T> optional_of(Result<T> result) {
  if (!result) return std::nullopt;
  return *std::move(result);
}

cgroup::IoUse sum_of(const std::vector<cgroup::IoUse>& disks) {
  cgroup::IoUse sum;
  for (const cgroup::IoUse& disk : disks) {
    sum.read_bytes += disk.read_bytes;
    sum.write_bytes += disk.write_bytes;
    sum.reads += disk.reads;
    sum.writes += disk.writes;
  }
  return sum;
}

Statistics read_statistics(const lifecycle::RunningSandbox& sandbox) {
  const cgroup::CgroupDirectories& groups = sandbox.groups();
  cgroup::UsageReader reader(groups);
  Statistics statistics{.name = sandbox.record().name, .state = state_of(sandbox)};
  if (const auto& memory = groups.of(Controller::kMemory)) {
    const bool is_v1 = memory.version == HierarchyVersion::kV1;
    statistics.memory = optional_of(reader.memory(cgroup::UsageReader::Swap::kRead));
    statistics.memory_peak =
        optional_of(read_group_number(memory, is_v1 ? "memory.max_usage_in_bytes" : "memory.peak"));
    statistics.memory_kills =
        optional_of(read_group_key(memory, is_v1 ? "memory.oom_control" : "memory.events", "oom_kill"));
  }
  if (const auto& cpu = groups.of(Controller::kCpu)) {
    statistics.cpu_quota = reader.cpu_quota();
    statistics.throttled_periods = optional_of(read_group_key(cpu, "cpu.stat", "nr_throttled"));
  }
  if (groups.of(Controller::kCpuacct)) statistics.cpu = optional_of(reader.cpu());
  if (groups.of(Controller::kPids)) statistics.pids = optional_of(reader.pids());
  if (groups.of(Controller::kIo))
    if (auto disks = reader.io()) statistics.io = sum_of(*disks);
  return statistics;
}

std::string use_of_limit(uint64_t used, uint64_t limit) {
  std::string text = size_in_words(used);
  return limit == kUnlimited ? text : fmt::format("{} of {}", text, size_in_words(limit));
}

void print_table(const std::vector<Statistics>& all) {
  constexpr auto kRow = "{:<20} {:<8} {:>10} {:>24} {:>10} {:>10} {:>22}\n";
  fmt::print(kRow, "NAME", "STATE", "CPU TIME", "MEMORY", "PEAK", "TASKS", "DISK READ/WRITTEN");
  for (const Statistics& one : all) {
    std::string cpu = one.cpu ? fmt::format("{:.2f} s", static_cast<double>(one.cpu->total_ns()) / 1e9) : "-";
    std::string memory = one.memory ? use_of_limit(one.memory->used, one.memory->limit) : "-";
    std::string peak = one.memory_peak ? size_in_words(*one.memory_peak) : "-";
    std::string tasks = one.pids ? fmt::format("{}", one.pids->current) : "-";
    if (one.pids && one.pids->limit != kUnlimited) tasks += fmt::format(" of {}", one.pids->limit);
    std::string disk =
        one.io ? fmt::format("{}/{}", size_in_words(one.io->read_bytes), size_in_words(one.io->write_bytes))
               : "-";
    fmt::print(kRow, printable(one.name), one.state, cpu, memory, peak, tasks, disk);
  }
}

template <typename Value>
nlohmann::ordered_json number_or_null(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}
nlohmann::ordered_json limit_or_null(uint64_t limit) {
  return limit == kUnlimited ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(limit);
}

nlohmann::ordered_json json_of(const Statistics& one) {
  nlohmann::ordered_json entry = {{"name", one.name}, {"state", one.state}};
  if (one.cpu) {
    entry["cpu"] = {{"total_ns", one.cpu->total_ns()},
                    {"user_ns", one.cpu->user_ns},
                    {"system_ns", one.cpu->system_ns},
                    {"throttled_periods", number_or_null(one.throttled_periods)},
                    {"limit_cpus", nullptr}};
    if (one.cpu_quota)
      entry["cpu"]["limit_cpus"] =
          static_cast<double>(one.cpu_quota->quota_us) / static_cast<double>(one.cpu_quota->period_us);
  }
  if (one.memory)
    entry["memory"] = {{"used_bytes", one.memory->used},
                       {"limit_bytes", limit_or_null(one.memory->limit)},
                       {"peak_bytes", number_or_null(one.memory_peak)},
                       {"kills", number_or_null(one.memory_kills)},
                       {"swap_used_bytes", one.memory->swap_used},
                       {"swap_limit_bytes", limit_or_null(one.memory->swap_limit)}};
  if (one.pids) entry["tasks"] = {{"current", one.pids->current}, {"limit", limit_or_null(one.pids->limit)}};
  if (one.io)
    entry["io"] = {{"read_bytes", one.io->read_bytes},
                   {"write_bytes", one.io->write_bytes},
                   {"reads", one.io->reads},
                   {"writes", one.io->writes}};
  return entry;
}

}  // namespace

int verb_stats(int argc, char** argv) {
  std::string format = "table";
  std::vector<std::string> names;
  CLI::App app("Print what running sandboxes use: of each NAME, or of all that have a name or limits.",
               "stats");
  set_usage(app, "sandbox stats [--format table|json] [NAME...]");
  app.add_option("--format", format, "form of the list")->type_name("table|json")->capture_default_str();
  app.add_option("NAME", names, "what `run --name` called it");
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (format != "table" && format != "json")
    return report({.doing = "understand the command line",
                   .reason = fmt::format("{} is none of the values of --format", printable(format)),
                   .advice = "--format table|json"});
  auto sandboxes = find_sandboxes(names);
  if (!sandboxes) return report(sandboxes.error());
  std::vector<Statistics> all;
  for (const auto& sandbox : *sandboxes) all.push_back(read_statistics(sandbox));
  if (format == "table") {
    print_table(all);
    return 0;
  }
  auto document = nlohmann::ordered_json::array();
  for (const Statistics& one : all) document.push_back(json_of(one));
  fmt::print("{}\n", json_document(document));
  return 0;
}

}  // namespace sandbox::tools
