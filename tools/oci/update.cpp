// `update`: other limits for a running container.
#include <fmt/format.h>
#include <unistd.h>

#include "sandbox/numbers.h"
#include "tools/messages.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

// Options for one value each, and where linux.resources has it.
struct Value {
  const char* option;
  const char* pointer;  // RFC 6901
  enum class Kind { kNumber, kText } kind = Kind::kNumber;
};
constexpr Value kValues[] = {
    {"memory", "/memory/limit"},
    {"memory-reservation", "/memory/reservation"},
    {"memory-swap", "/memory/swap"},
    {"cpu-period", "/cpu/period"},
    {"cpu-quota", "/cpu/quota"},
    {"cpu-share", "/cpu/shares"},
    {"cpuset-cpus", "/cpu/cpus", Value::Kind::kText},
    {"cpuset-mems", "/cpu/mems", Value::Kind::kText},
    {"pids-limit", "/pids/limit"},
    {"blkio-weight", "/blockIO/weight"},
};

Configured<nlohmann::json> resources_of(const Arguments& arguments) {
  const std::string file = arguments.text("resources");
  nlohmann::json resources = nlohmann::json::object();
  if (file == "-") {
    constexpr size_t kLargest = 1 << 20;
    std::string text;
    char chunk[65536];
    for (ssize_t size; text.size() < kLargest && (size = ::read(STDIN_FILENO, chunk, sizeof chunk)) > 0;)
      text.append(chunk, size);
    resources = TRY(parse_json(text, "the standard input"));
  } else if (!file.empty()) {
    resources = TRY(read_json_file(file));
  }
  for (const Value& value : kValues) {
    const std::string word = arguments.text(value.option);
    if (word.empty()) continue;
    const nlohmann::json::json_pointer place(value.pointer);
    if (value.kind == Value::Kind::kText) {
      resources[place] = word;
      continue;
    }
    const auto number = parse_number<int64_t>(word);
    if (!number)
      return failure(fmt::format("use --{} {}", value.option, printable(word)), "it is no number", "bytes");
    resources[place] = *number;
  }
  return resources;
}

}  // namespace

Configured<int> command_update(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  nlohmann::json resources = TRY(resources_of(arguments));
  Problems problems;
  const auto settings = read_resources(JsonNode(&resources, "resources", problems));
  if (!problems.is_empty()) return std::unexpected(problems.first());
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kExclusive));
  ContainerRecord record = TRY(directory.record());
  if (status_of(record) == Status::kStopped)
    return failure(fmt::format("update the container {}", id), "container not running (ESRCH)",
                   "sandbox state");
  TRY(ContainerGroups::at(record.group_path).apply(settings));
  return 0;
}

}  // namespace sandbox::tools::oci
