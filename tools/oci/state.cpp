// `state` and `list`: what there is, as JSON or as a table.
#include <fmt/format.h>

#include "tools/json_text.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

Configured<int> command_state(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kNone));
  ContainerRecord record = TRY(directory.record());
  fmt::print("{}\n", json_document(state_document(record, status_of(record))));
  return 0;
}

Configured<int> command_list(const Runtime& runtime, const Arguments& arguments) {
  const std::string format = arguments.text("format", "table");
  if (format != "table" && format != "json")
    return failure("list containers", fmt::format("`{}` is no format", format), "table or json");
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  const bool is_quiet = arguments.has("quiet");
  if (!is_quiet && format == "table")
    fmt::print("{:<20} {:<8} {:<9} {:<30} {:<32} {}\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
  for (const std::string& id : runtime.store.ids()) {
    auto directory = runtime.store.find(id, ContainerStore::Lock::kNone);
    // One that is being created or deleted at this moment has no record.
    auto record = directory ? directory->record() : std::unexpected(directory.error());
    if (!record) continue;
    const Status status = status_of(*record);
    if (is_quiet)
      fmt::print("{}\n", id);
    else if (format == "json")
      all.push_back(state_document(*record, status));
    else
      fmt::print("{:<20} {:<8} {:<9} {:<30} {:<32} {}\n", id, status == Status::kStopped ? 0 : record->pid,
                 name_of(status), record->bundle, record->created, record->owner);
  }
  if (format == "json" && !is_quiet) fmt::print("{}\n", all.empty() ? "null" : json_document(all));
  return 0;
}

}  // namespace sandbox::tools::oci
