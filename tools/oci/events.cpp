// `events`: what a container uses, once or again and again, a line of JSON each.
#include <fmt/format.h>
#include <time.h>

#include <cstdio>

#include "sentry/cgroup/usage.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

using Json = nlohmann::ordered_json;

Json memory_data(cgroup::UsageReader& usage) {
  auto memory = usage.memory(cgroup::UsageReader::Swap::kRead);
  if (!memory) return Json::object();
  return {{"usage", {{"limit", memory->limit}, {"usage", memory->used}}},
          {"swap", {{"limit", memory->swap_limit}, {"usage", memory->swap_used}}}};
}

Json io_data(cgroup::UsageReader& usage) {
  Json bytes = Json::array(), operations = Json::array();
  for (const cgroup::IoUse& disk : usage.io().value_or(std::vector<cgroup::IoUse>())) {
    auto entry = [&](const char* name, uint64_t value) {
      return Json{{"major", disk.major}, {"minor", disk.minor}, {"op", name}, {"value", value}};
    };
    bytes.push_back(entry("Read", disk.read_bytes));
    bytes.push_back(entry("Write", disk.write_bytes));
    operations.push_back(entry("Read", disk.reads));
    operations.push_back(entry("Write", disk.writes));
  }
  return {{"ioServiceBytesRecursive", bytes}, {"ioServicedRecursive", operations}};
}

Json usage_of(const std::string& id, const ContainerRecord& record) {
  cgroup::UsageReader usage(ContainerGroups::at(record.group_path).directories());
  Json data;
  if (auto cpu = usage.cpu())
    data["cpu"] = {
        {"usage", {{"total", cpu->total_ns()}, {"kernel", cpu->system_ns}, {"user", cpu->user_ns}}}};
  data["memory"] = memory_data(usage);
  if (auto pids = usage.pids()) {
    data["pids"] = {{"current", pids->current}};
    if (pids->limit != cgroup::kUnlimited) data["pids"]["limit"] = pids->limit;
  }
  data["blkio"] = io_data(usage);
  return {{"type", "stats"}, {"id", id}, {"data", data}};
}

// "5s", "500ms", "2m"; a number alone counts seconds.
Configured<int> interval_ms(const std::string& text) {
  int number = 0;
  char unit[3] = "s";
  const int fields = std::sscanf(text.c_str(), "%d%2s", &number, unit);
  const std::string word = unit;
  const int factor = word == "ms" ? 1 : word == "s" ? 1000 : word == "m" ? 60'000 : 0;
  constexpr int kLongest = 30'000;
  if (fields < 1 || number <= 0 || factor == 0 || number > kLongest)
    return failure(fmt::format("use --interval {}", text), "it is no time", "--interval 5s");
  return number * factor;
}

}  // namespace

Configured<int> command_events(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  const int pause_ms = TRY(interval_ms(arguments.text("interval", "5s")));
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kNone));
  for (;;) {
    ContainerRecord record = TRY(directory.record());
    if (status_of(record) == Status::kStopped)
      return failure(fmt::format("tell what the container {} uses", id), "container not running (ESRCH)",
                     "sandbox state");
    fmt::print("{}\n", usage_of(id, record).dump());
    if (arguments.has("stats")) return 0;
    std::fflush(stdout);
    const timespec nap{.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1'000'000L};
    ::nanosleep(&nap, nullptr);
    // A container that ends ends its events.
    if (status_of(record) == Status::kStopped) return 0;
  }
}

}  // namespace sandbox::tools::oci
