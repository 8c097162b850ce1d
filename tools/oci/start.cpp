// `start`: lets the program of a created container run.
#include <fcntl.h>
#include <unistd.h>

#include "sentry/oci/container_control.h"
#include "tools/oci/container_process.h"
#include "tools/oci/creation.h"
#include "tools/oci/hooks.h"
#include "tools/oci/process_settings.h"

namespace sandbox::tools::oci {

namespace {

struct Started {
  ContainerRecord record;
  Hooks hooks;
  std::optional<RunFailure> failed_hook;  // before its program ran
};

constexpr const char* kSentryGone = "its sentry is gone: delete it, and create it anew";

Configured<void> ask(const ContainerDirectory& directory, StartRequest request, const std::string& doing) {
  auto control = sandbox::oci::connect_in(directory.descriptor(), "control");
  auto answered = control ? sandbox::oci::request_start(*control, request)
                          : Result<void>(std::unexpected(control.error()));
  if (!answered) return failure(doing, answered.error(), kSentryGone);
  return {};
}

// As the container's own process would be, which waits meanwhile.
HookStarter start_inside(const ContainerDirectory& directory, const ContainerRecord& record,
                         const Bundle& bundle) {
  return [&](const Hook& hook, const HookStreams& streams) -> Configured<pid_t> {
    Process process = bundle.process;
    process.args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
    if (hook.env)
      process.env = *hook.env;
    else
      add_home(process.env, bundle.rootfs, process.user.uid);
    auto control = sandbox::oci::connect_in(directory.descriptor(), "control");
    auto terms =
        control ? sandbox::oci::ask_for_terms(*control) : Result<JoinTerms>(std::unexpected(control.error()));
    if (!terms) return failure("reach the container's sentry", terms.error(), kSentryGone);
    UniqueFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    return start_container_process(record, bundle, process, *control, *terms,
                                   {.program = hook.path,
                                    .descriptors = {{streams.input, STDIN_FILENO},
                                                    {nothing.get(), STDOUT_FILENO},
                                                    {streams.errors, STDERR_FILENO}}});
  };
}

// With the container's lock, which whoever deletes it wants.
Configured<Started> let_program_run(const Runtime& runtime, const std::string& id) {
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kExclusive));
  ContainerRecord record = TRY(directory.record());
  const std::string doing = fmt::format("start the container {}", id);
  const Status status = status_of(record);
  if (status != Status::kCreated)
    return failure(doing, fmt::format("it is {}", name_of(status)),
                   "only a created container can be started");
  nlohmann::json document = TRY(directory.config());
  Problems problems;
  Hooks hooks = read_hooks(JsonNode(&document, "", problems)["hooks"]);
  if (hooks.start_container.empty()) {
    TRY(ask(directory, StartRequest::kStart, doing));
  } else {
    const Bundle bundle = TRY(bundle_of(document, record.bundle));
    TRY(ask(directory, StartRequest::kHooks, doing));
    auto done = run_hooks(hooks.start_container, "startContainer", state_document(record, status).dump(),
                          start_inside(directory, record, bundle));
    if (done) done = ask(directory, StartRequest::kRelease, doing);
    if (!done) return Started{std::move(record), std::move(hooks), done.error()};
  }
  record.phase = ContainerRecord::Phase::kStarted;
  TRY(directory.save(record));
  return Started{std::move(record), std::move(hooks), std::nullopt};
}

}  // namespace

Configured<void> start_container(const Runtime& runtime, const std::string& id) {
  const Started started = TRY(let_program_run(runtime, id));
  auto done = started.failed_hook ? Configured<void>(std::unexpected(*started.failed_hook))
                                  : run_hooks(started.hooks.poststart, "poststart",
                                              state_document(started.record, Status::kRunning).dump());
  // The container ends then (steps 8 and 10 of the lifecycle in runtime.md).
  if (!done) (void)delete_container(runtime, id, Force::kYes);
  return done;
}

Configured<int> command_start(const Runtime& runtime, const Arguments& arguments) {
  std::string id = TRY(container_id(arguments));
  TRY(start_container(runtime, id));
  return 0;
}

}  // namespace sandbox::tools::oci
