// `delete`: what is left of a container goes: its processes, control groups and directory.
#include <poll.h>

#include <csignal>

#include "platform/pidfd.h"
#include "sentry/cgroup/freezer.h"
#include "sentry/lifecycle/sandbox_record.h"
#include "tools/messages.h"
#include "tools/oci/creation.h"
#include "tools/oci/hooks.h"

namespace sandbox::tools::oci {

namespace {

// Whether the process was gone within that time.
bool wait_for_end(pid_t pid, uint64_t start_time, int patience_ms) {
  auto process = platform::open_pidfd(pid);
  if (!process || !lifecycle::is_alive(pid, start_time)) return true;
  pollfd event{process->get(), POLLIN, 0};
  return ::poll(&event, 1, patience_ms) > 0;
}

// The sentry ends by itself when its process has; it closes files of the container's root at that moment.
void end_processes(const ContainerRecord& record) {
  constexpr int kPatience_ms = 10'000;
  if (lifecycle::is_alive(record.pid, record.pid_start)) ::kill(record.pid, SIGKILL);
  wait_for_end(record.pid, record.pid_start, kPatience_ms);
  if (wait_for_end(record.sentry, record.sentry_start, kPatience_ms)) return;
  ::kill(record.sentry, SIGKILL);
  wait_for_end(record.sentry, record.sentry_start, kPatience_ms);
}

}  // namespace

// Whatever becomes of one, the others run.
void run_poststop_hooks(const Hooks& hooks, const ContainerRecord& record, const RuntimeLog& log) {
  const std::string state = state_document(record, Status::kStopped).dump();
  for (const Hook& hook : hooks.poststop) {
    auto done = run_hooks({hook}, "poststop", state);
    if (done) continue;
    const std::string text = fmt::format("{}: {}", done.error().doing, done.error().reason);
    warn(text);
    log.write_warning(text);
  }
}

Configured<void> delete_container(const Runtime& runtime, const std::string& id, Force force) {
  auto found = runtime.store.find(id, ContainerStore::Lock::kExclusive);
  if (!found && force == Force::kYes && !runtime.store.contains(id)) return {};
  if (!found) return std::unexpected(found.error());
  ContainerDirectory& directory = *found;
  auto record = directory.record();
  const std::string doing = fmt::format("delete the container {}", id);
  if (!record) {
    // Whoever created it was killed before it had written anything down; what had been begun ended with it.
    if (force == Force::kNo) return std::unexpected(record.error());
    directory.remove();
    return {};
  }
  const Status status = status_of(*record);
  // Whoever creates holds the lock, which is held here: what is half-created stays so.
  const bool may_go = status == Status::kStopped || status == Status::kCreated || status == Status::kCreating;
  if (force == Force::kNo && !may_go)
    return failure(doing, fmt::format("it is not stopped: {}", name_of(status)),
                   "sandbox kill first, or --force");
  const ContainerGroups groups = ContainerGroups::at(record->group_path);
  // What is frozen by the v1 freezer would not die.
  (void)cgroup::thaw(groups.directories(), id);
  if (cgroup::is_frozen_from_above(groups.directories()) && status != Status::kStopped)
    return failure(doing, fmt::format("a control group above {} is frozen (EBUSY)", record->group_path),
                   "thaw that group first: nothing in it can die");
  end_processes(*record);
  if (auto removed = groups.remove(); !removed)
    return failure(doing, fmt::format("its control groups: {}", reason_in_words(removed.error())),
                   "again, when its processes have ended");
  remove_empty_groups(record->made_groups);
  auto document = directory.config();
  directory.remove();
  if (!document) return {};
  Problems problems;
  const Hooks hooks = read_hooks(JsonNode(&*document, "", problems)["hooks"]);
  run_poststop_hooks(hooks, *record, runtime.log);
  return {};
}

Configured<int> command_delete(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  TRY(delete_container(runtime, id, arguments.has("force") ? Force::kYes : Force::kNo));
  return 0;
}

}  // namespace sandbox::tools::oci
