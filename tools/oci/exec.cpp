// `exec`: a further process in a running container.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "sandbox/numbers.h"
#include "sentry/oci/container_control.h"
#include "sentry/oci/exec_request.h"
#include "sentry/oci/packet.h"
#include "sentry/oci/terminal.h"
#include "tools/messages.h"
#include "tools/oci/container_process.h"
#include "tools/oci/creation.h"
#include "tools/oci/foreground.h"
#include "tools/oci/process_settings.h"
#include "tools/user_lookup.h"

namespace sandbox::tools::oci {

namespace {

// One exec on its way.
class Exec {
 public:
  Exec(const Runtime& runtime, const Arguments& arguments) : runtime_(runtime), arguments_(arguments) {}
  Configured<int> run();

 private:
  Configured<void> find_container();
  Configured<Process> read_description();
  Configured<Process> process_of_options();
  Configured<void> open_console();
  Configured<pid_t> start();

  const Runtime& runtime_;
  const Arguments& arguments_;
  ContainerRecord record_;
  Bundle bundle_;
  Process description_;
  UniqueFd control_, console_, own_console_;
  std::optional<sandbox::oci::ContainerTerminal> terminal_;
  sandbox::oci::JoinTerms terms_;
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

Configured<pid_t> Exec::start() {
  using Session = platform::LaunchOptions::Session;
  ContainerProcessOptions options{.session = terminal_ ? Session::kOwnTerminal : Session::kOwn};
  for (int number : {0, 1, 2})
    if (terminal_ || ::fcntl(number, F_GETFD) >= 0)
      options.descriptors.push_back({terminal_ ? terminal_->slave.get() : number, number});
  for (int number = 3, most = 3 + TRY(arguments_.number("preserve-fds", 0, 0, 1024)); number < most; ++number)
    options.descriptors.push_back({number, number});
  // Inherited by the process; this command needs no memory any more.
  TRY(apply_memory_policy(bundle_.memory_policy));
  return start_container_process(record_, bundle_, description_, control_, terms_, options);
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
  const pid_t process = TRY(start());
  if (const std::string file = arguments_.text("pid-file"); !file.empty())
    if (auto written = write_pid_file(file, process); !written) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
      return std::unexpected(written.error());
    }
  if (arguments_.has("detach")) return 0;
  terminal_.reset();
  console_.reset();
  return wait_in_foreground(process, std::move(own_console_));
}

}  // namespace

Configured<int> command_exec(const Runtime& runtime, const Arguments& arguments) {
  return Exec(runtime, arguments).run();
}

}  // namespace sandbox::tools::oci
