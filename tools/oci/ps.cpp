// `ps`: the processes of a container, by their host's numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sentry/lifecycle/sandbox_record.h"
#include "tools/messages.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

// The host's own ps prints, so that its options mean what they mean there; lines of other processes are left
// out.
Configured<int> print_table(const std::vector<pid_t>& pids, const std::vector<std::string>& options) {
  std::string command = "ps";
  for (const std::string& option : options) {
    const bool is_plain =
        option.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-,=_%") ==
        option.npos;
    if (!is_plain)
      return failure("list processes", fmt::format("ps has no option {}", printable(option)), "-ef");
    command += " " + option;
  }
  if (options.empty()) command += " -ef";
  FILE* output = ::popen(command.c_str(), "re");
  if (output == nullptr) return failure("list processes", Errno::last(), "install procps, or --format json");
  size_t column = std::string::npos;
  char* line = nullptr;
  size_t capacity = 0;
  bool is_header = true;
  while (::getline(&line, &capacity, output) > 0) {
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(word);
    if (is_header) {
      column = static_cast<size_t>(std::ranges::find(fields, "PID") - fields.begin());
      fmt::print("{}", line);
    } else if (column < fields.size() && std::ranges::count(pids, std::atoi(fields[column].c_str())) > 0) {
      fmt::print("{}", line);
    }
    is_header = false;
  }
  std::free(line);
  if (::pclose(output) != 0)
    return failure("list processes", "ps failed", "install procps, or --format json");
  return 0;
}

}  // namespace

Configured<int> command_ps(const Runtime& runtime, const Arguments& arguments) {
  const auto& words = arguments.words();
  if (words.empty()) return failure("list processes", "no container is named", "sandbox ps ID");
  ContainerDirectory directory = TRY(runtime.store.find(words[0], ContainerStore::Lock::kNone));
  ContainerRecord record = TRY(directory.record());
  std::vector<pid_t> pids = ContainerGroups::at(record.group_path).processes();
  if (pids.empty() && lifecycle::is_alive(record.pid, record.pid_start)) pids.push_back(record.pid);
  const std::string format = arguments.text("format", "table");
  if (format == "table") return print_table(pids, {words.begin() + 1, words.end()});
  if (format != "json")
    return failure("list processes", fmt::format("`{}` is no format", printable(format)), "table or json");
  fmt::print("{}\n", nlohmann::json(pids).dump());
  return 0;
}

}  // namespace sandbox::tools::oci
