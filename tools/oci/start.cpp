// `start`: lets the program of a created container run.
#include "sentry/oci/container_control.h"
#include "tools/oci/creation.h"
#include "tools/oci/hooks.h"

namespace sandbox::tools::oci {

namespace {

struct Started {
  ContainerRecord record;
  Hooks hooks;
};

// With the container's lock, which whoever deletes it wants.
Configured<Started> let_program_run(const Runtime& runtime, const std::string& id) {
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kExclusive));
  ContainerRecord record = TRY(directory.record());
  const std::string doing = fmt::format("start the container {}", id);
  if (const Status status = status_of(record); status != Status::kCreated)
    return failure(doing, fmt::format("it is {}", name_of(status)),
                   "only a created container can be started");
  auto control = sandbox::oci::connect_in(directory.descriptor(), "control");
  auto started =
      control ? sandbox::oci::request_start(*control) : Result<void>(std::unexpected(control.error()));
  if (!started) return failure(doing, started.error(), "its sentry is gone: delete it, and create it anew");
  record.phase = ContainerRecord::Phase::kStarted;
  TRY(directory.save(record));
  nlohmann::json document = TRY(directory.config());
  Problems problems;
  return Started{std::move(record), read_hooks(JsonNode(&document, "", problems)["hooks"])};
}

}  // namespace

Configured<void> start_container(const Runtime& runtime, const std::string& id) {
  const Started started = TRY(let_program_run(runtime, id));
  auto done = run_hooks(started.hooks.poststart, "poststart",
                        state_document(started.record, Status::kRunning).dump());
  // The container ends then (step 9 of the lifecycle in runtime.md).
  if (!done) (void)delete_container(runtime, id, Force::kYes);
  return done;
}

Configured<int> command_start(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  TRY(start_container(runtime, id));
  return 0;
}

}  // namespace sandbox::tools::oci
