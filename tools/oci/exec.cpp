// `exec`: a further process in a running container.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "platform/joined_launch.h"
#include "sandbox/numbers.h"
#include "sentry/oci/container_control.h"
#include "sentry/oci/exec_request.h"
#include "sentry/oci/packet.h"
#include "sentry/oci/resource_limits.h"
#include "sentry/oci/terminal.h"
#include "tools/messages.h"
#include "tools/oci/creation.h"
#include "tools/oci/foreground.h"
#include "tools/oci/process_settings.h"
#include "tools/user_lookup.h"

namespace sandbox::tools::oci {

namespace {

// One exec on its way. What was made of it ends unless it is finished.
class Exec {
 public:
  Exec(const Runtime& runtime, const Arguments& arguments) : runtime_(runtime), arguments_(arguments) {}
  ~Exec() {
    if (is_finished_ || process_.tid == 0) return;
    ::kill(process_.tid, SIGKILL);
    ::waitpid(process_.tid, nullptr, 0);
  }
  Configured<int> run();

 private:
  Configured<void> find_container();
  Configured<Process> read_description();
  Configured<Process> process_of_options();
  Configured<void> open_console();
  Configured<void> start();
  Configured<void> join_groups();
  platform::LaunchOptions launch_options();

  const Runtime& runtime_;
  const Arguments& arguments_;
  ContainerRecord record_;
  Bundle bundle_;
  Process description_;
  UniqueFd control_, console_, own_console_;
  std::optional<sandbox::oci::ContainerTerminal> terminal_;
  sandbox::oci::JoinTerms terms_;
  platform::JoinedProcess process_;
  bool is_finished_ = false;
};

Configured<void> Exec::find_container() {
  const auto& words = arguments_.words();
  if (words.empty()) return failure("execute a program", "no container is named", "sandbox exec ID PROGRAM");
  ContainerDirectory directory = TRY(runtime_.store.find(words[0], ContainerStore::Lock::kNone));
  record_ = TRY(directory.record());
  const std::string doing = fmt::format("execute a program in the container {}", words[0]);
  const Status status = status_of(record_);
  if (status == Status::kPaused && !arguments_.has("ignore-paused"))
    return failure(doing, "it is paused", "sandbox resume, or --ignore-paused");
  if (status != Status::kRunning && status != Status::kPaused)
    return failure(doing, fmt::format("container not running: it is {}", name_of(status)), "sandbox start");
  nlohmann::json document = TRY(directory.config());
  bundle_ = TRY(bundle_of(document, record_.bundle));
  auto control = sandbox::oci::connect_in(directory.descriptor(), "control");
  if (!control) return failure(doing, control.error(), "its sentry is gone: delete the container");
  control_ = *std::move(control);
  return {};
}

// The container's own process with what the options say.
Configured<Process> Exec::process_of_options() {
  Process process = bundle_.process;
  process.args.assign(arguments_.words().begin() + 1, arguments_.words().end());
  if (process.args.empty())
    return failure("execute a program", "no program is named", "sandbox exec ID PROGRAM, or --process FILE");
  process.has_terminal = arguments_.has("tty");
  process.oom_score_adj.reset();
  if (arguments_.has("no-new-privs")) process.no_new_privs = NoNewPrivs::kSet;
  process.cwd = arguments_.text("cwd", process.cwd);
  for (const std::string& variable : arguments_.texts("env")) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(process.env,
                  [&](const std::string& other) { return !name.empty() && other.starts_with(name); });
    process.env.push_back(variable);
  }
  if (const std::string user = arguments_.text("user"); !user.empty()) {
    FoundUser found = TRY(look_up_user(UserDatabase::of_rootfs(bundle_.rootfs), user));
    process.user = found.ids;
    // As runtimes have it: who is not root has the capabilities in reserve only.
    if (found.ids.uid != 0) process.capabilities.permitted = process.capabilities.effective = 0;
  }
  for (const std::string& group : arguments_.texts("additional-gids")) {
    auto number = parse_number<gid_t>(group);
    if (!number)
      return failure("add a group", fmt::format("`{}` is no number", printable(group)), "a number");
    process.user.groups.push_back(*number);
  }
  for (const std::string& name : arguments_.texts("cap")) {
    auto number = capability_number(name);
    if (!number) return failure("add a capability", fmt::format("`{}` is none", printable(name)), "CAP_KILL");
    const uint64_t bit = uint64_t{1} << *number;
    for (uint64_t* set :
         {&process.capabilities.bounding, &process.capabilities.permitted, &process.capabilities.effective})
      *set |= bit;
  }
  return process;
}

Configured<Process> Exec::read_description() {
  const std::string file = arguments_.text("process");
  if (file.empty()) return process_of_options();
  nlohmann::json document = TRY(read_json_file(file));
  Problems problems;
  Process process = read_process(JsonNode(&document, "process", problems));
  if (!problems.is_empty()) return std::unexpected(problems.first());
  process.has_terminal |= arguments_.has("tty");
  return process;
}

Configured<void> Exec::open_console() {
  if (!description_.has_terminal) return {};
  const std::string path = arguments_.text("console-socket");
  if (path.empty() && arguments_.has("detach"))
    return failure("create a terminal for the process", "nobody is there to take it",
                   "--console-socket SOCKET");
  if (path.empty()) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
      return failure("take the process's terminal", Errno::last(), "free some descriptors");
    own_console_ = UniqueFd(ends[0]);
    console_ = UniqueFd(ends[1]);
  } else {
    auto socket = sandbox::oci::connect_to_console_socket(path);
    if (!socket)
      return failure(fmt::format("connect to the console socket {}", printable(path)), socket.error(),
                     "listen on it first");
    console_ = *std::move(socket);
  }
  const uid_t owner = bundle_.uid_map ? bundle_.uid_map->to_outside(description_.user.uid).value_or(0)
                                      : description_.user.uid;
  terminal_ = TRY(sandbox::oci::ContainerTerminal::create_in(
      std::move(terms_.devpts), owner, {description_.console_height, description_.console_width}));
  return {};
}

platform::LaunchOptions Exec::launch_options() {
  platform::LaunchOptions options;
  options.engine = terms_.engine;
  options.uid = description_.user.uid;
  options.gid = description_.user.gid;
  options.groups = description_.user.groups;
  options.capabilities = description_.capabilities;
  options.umask = description_.umask;
  options.profile = bundle_.seccomp.get();
  options.personality = bundle_.personality;
  using Session = platform::LaunchOptions::Session;
  options.session = terminal_ ? Session::kOwnTerminal : Session::kOwn;
  for (int number : {0, 1, 2})
    if (terminal_ || ::fcntl(number, F_GETFD) >= 0)
      options.descriptors.push_back({terminal_ ? terminal_->slave.get() : number, number});
  return options;
}

Configured<void> Exec::join_groups() {
  std::vector<UniqueFd> files = TRY(ContainerGroups::at(record_.group_path).open_join_files());
  const std::string number = std::to_string(process_.tid);
  for (const UniqueFd& file : files)
    if (::write(file.get(), number.data(), number.size()) < 0)
      return failure("put the process into the container's control groups", Errno::last(),
                     "look whether the container still runs");
  return {};
}

Configured<void> Exec::start() {
  platform::LaunchOptions options = launch_options();
  for (int number = 3, most = 3 + TRY(arguments_.number("preserve-fds", 0, 0, 1024)); number < most; ++number)
    options.descriptors.push_back({number, number});
  options.limits = TRY(sandbox::oci::raise_hard_limits(
      description_.limits,
      ::geteuid() == 0 ? ContainerConfig::LimitsAbove::kFail : ContainerConfig::LimitsAbove::kClamp));
  // Inherited by the process; this command needs no memory any more.
  TRY(apply_memory_policy(bundle_.memory_policy));
  std::string context;
  auto joined = platform::join_workload(record_.pid, options, terms_.reserved_socket.get(), context);
  if (!joined) return failure(context, joined.error(), "look whether the container still runs");
  process_ = *std::move(joined);
  TRY(set_cpus(description_.initial_cpus, process_.tid));
  TRY(join_groups());
  TRY(set_cpus(description_.final_cpus, process_.tid));
  TRY(apply_process_settings(description_, process_.tid));
  TRY(sandbox::oci::ask_to_adopt(control_, process_.tid, process_.channel,
                                 {.argv = description_.args,
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
  return {};
}

Configured<int> Exec::run() {
  TRY(find_container());
  description_ = TRY(read_description());
  add_home(description_.env, bundle_.rootfs, description_.user.uid);
  auto terms = sandbox::oci::ask_for_terms(control_);
  if (!terms)
    return failure("reach the container's sentry", terms.error(), "look whether the container still runs");
  terms_ = *std::move(terms);
  TRY(open_console());
  if (terminal_ && !sandbox::oci::send_console(console_.get(), terminal_->master))
    return failure("hand the terminal to the console socket", Errno::last(), "listen on it");
  TRY(start());
  if (const std::string file = arguments_.text("pid-file"); !file.empty())
    TRY(write_pid_file(file, process_.tid));
  is_finished_ = true;
  if (arguments_.has("detach")) return 0;
  terminal_.reset();
  console_.reset();
  return wait_in_foreground(process_.tid, std::move(own_console_));
}

}  // namespace

Configured<int> command_exec(const Runtime& runtime, const Arguments& arguments) {
  return Exec(runtime, arguments).run();
}

}  // namespace sandbox::tools::oci
