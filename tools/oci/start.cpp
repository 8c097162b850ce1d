// `start`: lets the program of a created container run.
#include <csignal>

#include "sentry/oci/container_control.h"
#include "tools/oci/creation.h"
#include "tools/oci/hooks.h"

namespace sandbox::tools::oci {

Configured<void> start_container(const Runtime& runtime, const std::string& id) {
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
  const Hooks hooks = read_hooks(JsonNode(&document, "", problems)["hooks"]);
  auto done = run_hooks(hooks.poststart, "poststart", state_document(record, Status::kRunning).dump());
  if (!done) ::kill(record.pid, SIGKILL);
  return done;
}

Configured<int> command_start(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  TRY(start_container(runtime, id));
  return 0;
}

}  // namespace sandbox::tools::oci
