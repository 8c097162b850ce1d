// Its launch, its groups and settings, and its adoption by the sentry.
#include "tools/oci/container_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "sentry/oci/resource_limits.h"
#include "tools/oci/process_settings.h"

namespace sandbox::tools::oci {

namespace {

// One on its way. It ends unless it is finished.
class ContainerProcess {
 public:
  ContainerProcess(const ContainerRecord& record, const Bundle& bundle, const Process& description)
      : record_(record), bundle_(bundle), description_(description) {}
  ~ContainerProcess() {
    if (is_finished_ || process_.tid == 0) return;
    ::kill(process_.tid, SIGKILL);
    ::waitpid(process_.tid, nullptr, 0);
  }
  Configured<pid_t> start(const UniqueFd& control, const sandbox::oci::JoinTerms& terms,
                          const ContainerProcessOptions& options);

 private:
  platform::LaunchOptions launch_options(const sandbox::oci::JoinTerms& terms,
                                         const ContainerProcessOptions& options) const;
  Configured<void> join_groups() const;

  const ContainerRecord& record_;
  const Bundle& bundle_;
  const Process& description_;
  platform::JoinedProcess process_;
  bool is_finished_ = false;
};

platform::LaunchOptions ContainerProcess::launch_options(const sandbox::oci::JoinTerms& terms,
                                                         const ContainerProcessOptions& options) const {
  platform::LaunchOptions launch;
  launch.engine = terms.engine;
  launch.uid = description_.user.uid;
  launch.gid = description_.user.gid;
  launch.groups = description_.user.groups;
  launch.capabilities = description_.capabilities;
  launch.umask = description_.umask;
  launch.profile = bundle_.seccomp.get();
  launch.personality = bundle_.personality;
  launch.session = options.session;
  launch.descriptors = options.descriptors;
  return launch;
}

Configured<void> ContainerProcess::join_groups() const {
  std::vector<UniqueFd> files = TRY(ContainerGroups::at(record_.group_path).open_join_files());
  const std::string number = std::to_string(process_.tid);
  for (const UniqueFd& file : files)
    if (::write(file.get(), number.data(), number.size()) < 0)
      return failure("put the process into the container's control groups", Errno::last(),
                     "look whether the container still runs");
  return {};
}

Configured<pid_t> ContainerProcess::start(const UniqueFd& control, const sandbox::oci::JoinTerms& terms,
                                          const ContainerProcessOptions& options) {
  platform::LaunchOptions launch = launch_options(terms, options);
  launch.limits = TRY(sandbox::oci::raise_hard_limits(
      description_.limits,
      ::geteuid() == 0 ? ContainerConfig::LimitsAbove::kFail : ContainerConfig::LimitsAbove::kClamp));
  std::string context;
  auto joined = platform::join_workload(record_.pid, launch, terms.reserved_socket.get(), context);
  if (!joined) return failure(context, joined.error(), "look whether the container still runs");
  process_ = *std::move(joined);
  TRY(set_cpus(description_.initial_cpus, process_.tid));
  TRY(join_groups());
  TRY(set_cpus(description_.final_cpus, process_.tid));
  TRY(apply_process_settings(description_, process_.tid));
  const std::string first_word = description_.args.empty() ? "" : description_.args[0];
  TRY(sandbox::oci::ask_to_adopt(control, process_.tid, process_.channel,
                                 {.program = options.program.empty() ? first_word : options.program,
                                  .argv = description_.args,
                                  .environment = description_.env,
                                  .cwd = description_.cwd,
                                  .uid = description_.user.uid,
                                  .gid = description_.user.gid,
                                  .groups = description_.user.groups,
                                  .permitted_caps = description_.capabilities.permitted,
                                  .effective_caps = description_.capabilities.effective,
                                  .umask = description_.umask,
                                  .no_new_privs = description_.no_new_privs,
                                  .core_limit = platform::core_limit_in(description_.limits)}));
  auto executed = platform::wait_for_exec(process_, context);
  if (!executed) return failure(context, executed.error(), "a program that can be executed inside");
  is_finished_ = true;
  return process_.tid;
}

}  // namespace

Configured<pid_t> start_container_process(const ContainerRecord& record, const Bundle& bundle,
                                          const Process& description, const UniqueFd& control,
                                          const sandbox::oci::JoinTerms& terms,
                                          const ContainerProcessOptions& options) {
  return ContainerProcess(record, bundle, description).start(control, terms, options);
}

}  // namespace sandbox::tools::oci
