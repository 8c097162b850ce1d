// From a bundle to a waiting process.
#include "tools/oci/creation.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "sandbox/write_all.h"
#include "sentry/lifecycle/sandbox_record.h"
#include "sentry/oci/container_control.h"
#include "sentry/oci/terminal.h"
#include "tools/messages.h"
#include "tools/oci/hooks.h"
#include "tools/oci/process_settings.h"
#include "tools/run_options.h"

namespace sandbox::tools::oci {

namespace {

constexpr Option kOptions[] = {
    {"bundle", 'b', "DIRECTORY", "the bundle; default: the working directory"},
    {"console-socket", 0, "SOCKET", "gets the terminal of a process that has one"},
    {"pid-file", 0, "FILE", "gets the host's number of the first process"},
    {"preserve-fds", 0, "N", "descriptors 3 to 3+N-1 are passed on"},
    {"no-pivot", 0, "", "accepted: there is no root to pivot"},
    {"no-new-keyring", 0, "", "accepted: keyrings are denied"},
    {"no-subreaper", 0, "", "accepted: nothing reaps for the engine"},
};

std::string now_as_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(now.tv_sec), now.tv_nsec);
}

// One container on its way; what was made of it goes again unless it is finished.
class Creation {
 public:
  Creation(const Runtime& runtime, CreateOptions options) : runtime_(runtime), options_(std::move(options)) {}
  ~Creation();
  Configured<ContainerRecord> run();

 private:
  Configured<void> read_configuration();
  Configured<void> make_groups();
  Configured<void> connect_console();
  Configured<void> add_descriptors();
  Configured<void> start_sentry();
  [[noreturn]] void become_sentry();
  Configured<Announced::Stage> take_announcement();
  Configured<void> set_process_up();
  Configured<void> finish_process();
  std::string state(Status status) const { return state_document(record_, status).dump(); }

  const Runtime& runtime_;
  CreateOptions options_;
  std::optional<ContainerDirectory> directory_;
  ContainerRecord record_;
  Bundle bundle_;
  SandboxConfig config_;
  ContainerGroups groups_;
  std::vector<UniqueFd> join_files_;
  UniqueFd console_, listener_, sentry_log_, sentry_end_, own_end_;
  bool is_finished_ = false;
};

Creation::~Creation() {
  if (is_finished_) return;
  own_end_.reset();  // and the sentry ends, with its process
  if (record_.pid > 0) ::kill(record_.pid, SIGKILL);
  if (record_.sentry > 0) ::waitpid(record_.sentry, nullptr, 0);
  if (record_.pid > 0) ::waitpid(record_.pid, nullptr, 0);
  join_files_.clear();
  if (groups_.remove()) remove_empty_groups(record_.made_groups);
  if (directory_) directory_->remove();
  // It was there, so its end has hooks as well (step 13 of the lifecycle in runtime.md).
  if (record_.pid > 0) run_poststop_hooks(bundle_.hooks, record_, runtime_.log);
}

Configured<void> Creation::read_configuration() {
  auto directory = real_path(options_.bundle);
  if (!directory)
    return failure(fmt::format("use the bundle {}", printable(options_.bundle)), directory.error(),
                   "a directory with config.json in it");
  nlohmann::json document = TRY(read_json_file(*directory + "/config.json"));
  bundle_ = TRY(bundle_of(document, *directory));
  for (const std::string& warning : bundle_.warnings) runtime_.log.write_warning(warning);
  TRY(directory_->save_config(document));
  config_ = sandbox_config(bundle_);
  record_ = {.id = options_.id,
             .oci_version = bundle_.oci_version,
             .bundle = *directory,
             .rootfs = bundle_.rootfs,
             .created = now_as_text(),
             .owner = ::geteuid() == 0 ? "root" : std::to_string(::geteuid()),
             .annotations = bundle_.annotations};
  add_home(config_.environment, bundle_.rootfs, bundle_.process.user.uid);
  return {};
}

Configured<void> Creation::make_groups() {
  record_.group_path = TRY(group_path(bundle_.cgroups_path, options_.id));
  if (!ContainerGroups::at(record_.group_path).processes().empty()) {
    const std::string path = std::exchange(record_.group_path, "");
    return failure(fmt::format("use the control group {}", path), "there are processes in it already (EBUSY)",
                   "linux.cgroupsPath of the container's own");
  }
  TRY(directory_->save(record_));
  groups_ = TRY(ContainerGroups::create(record_.group_path));
  record_.made_groups = groups_.made();
  TRY(directory_->save(record_));
  TRY(groups_.apply(bundle_.settings));
  join_files_ = TRY(groups_.open_join_files());
  for (const UniqueFd& file : join_files_) config_.container->cgroup_join_files.push_back(file.get());
  if (!groups_.is_empty()) config_.container->cgroup_membership = groups_.membership();
  return {};
}

Configured<void> Creation::connect_console() {
  const bool has_socket = !options_.console_socket.empty();
  if (!bundle_.process.has_terminal) {
    if (!has_socket) return {};
    return failure("use --console-socket", "process.terminal of config.json is false", "leave it out");
  }
  if (!has_socket && !options_.own_console)
    return failure("create a terminal for the process", "nobody is there to take it",
                   "--console-socket SOCKET, or process.terminal: false");
  if (!has_socket) {
    console_ = std::move(options_.own_console);
    return {};
  }
  auto socket = sandbox::oci::connect_to_console_socket(options_.console_socket);
  if (!socket)
    return failure(fmt::format("connect to the console socket {}", printable(options_.console_socket)),
                   socket.error(), "listen on it first");
  console_ = *std::move(socket);
  return {};
}

Configured<void> Creation::add_descriptors() {
  int count = options_.preserved_descriptors;
  if (const char* listening = std::getenv("LISTEN_FDS"); listening != nullptr && std::atoi(listening) > 0) {
    count += std::atoi(listening);
    config_.environment.push_back(fmt::format("LISTEN_FDS={}", std::atoi(listening)));
    config_.environment.push_back("LISTEN_PID=1");
  }
  for (int number = 3; number < 3 + count; ++number) {
    if (::fcntl(number, F_GETFD) < 0)
      return failure(fmt::format("pass descriptor {} on", number), Errno::last(), "a smaller --preserve-fds");
    config_.passed_descriptors.push_back(number);
  }
  return {};
}

// It keeps none of the engine's descriptors: whoever reads the container's output waits for their end.
void Creation::become_sentry() {
  own_end_.reset();
  directory_->drop_lock();
  ::setsid();
  sandbox::oci::ContainerControl control({.creator = std::move(sentry_end_),
                                          .listener = std::move(listener_),
                                          .console = std::move(console_),
                                          .log = std::move(sentry_log_)});
  config_.container->control = &control;
  auto placed = apply_memory_policy(bundle_.memory_policy);
  using Outcome = std::expected<RunOutcome, RunFailure>;
  auto outcome = placed ? run_sandbox(config_) : Outcome(std::unexpect, placed.error());
  if (!outcome && !control.announce(outcome.error())) report(outcome.error());
  if (outcome)
    for (const std::string& warning : outcome->warnings) warn(warning);
  ::_exit(outcome ? 0 : 1);
}

Configured<void> Creation::start_sentry() {
  const std::string doing = "start the container's sentry";
  auto listener = sandbox::oci::listen_in(directory_->descriptor(), "control");
  if (!listener) return failure(doing, listener.error(), "look whether the disk of --root is full");
  listener_ = *std::move(listener);
  sentry_log_ = UniqueFd(::openat(directory_->descriptor(), "sentry.log",
                                  O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return failure(doing, Errno::last(), "free some descriptors");
  own_end_ = UniqueFd(ends[0]);
  sentry_end_ = UniqueFd(ends[1]);
  record_.sentry = ::fork();
  if (record_.sentry < 0)
    return failure(doing, Errno::last(), "free some memory, or raise the limit of processes");
  if (record_.sentry == 0) become_sentry();
  sentry_end_.reset();
  record_.sentry_start = lifecycle::start_time_of(record_.sentry).value_or(0);
  return directory_->save(record_);
}

Configured<Announced::Stage> Creation::take_announcement() {
  auto announced = sandbox::oci::receive_announcement(own_end_);
  if (!announced)
    return failure("create the container", "its sentry ended without a word (EPIPE)",
                   "the standard error of this command, and report this as a bug");
  if (!*announced) return std::unexpected(announced->error());
  if (record_.pid == 0) {
    record_.pid = (*announced)->first;
    record_.pid_start = lifecycle::start_time_of(record_.pid).value_or(0);
    TRY(directory_->save(record_));
  }
  return (*announced)->stage;
}

// The process is there and runs nothing yet.
Configured<void> Creation::set_process_up() {
  TRY(apply_process_settings(bundle_.process, record_.pid));
  TRY(apply_sysctls(bundle_, record_.pid));
  // The environment is there by now, so this is what they are told, although `create` has not returned.
  const std::string created = state(Status::kCreated);
  TRY(run_hooks(bundle_.hooks.prestart, "prestart", created));
  TRY(run_hooks(bundle_.hooks.create_runtime, "createRuntime", created));
  return run_hooks(bundle_.hooks.create_container, "createContainer", created,
                   start_before_tree({record_.pid, record_.sentry, record_.rootfs}));
}

Configured<void> Creation::finish_process() {
  const Announced::Stage stage = TRY(take_announcement());
  TRY(set_process_up());
  if (stage == Announced::Stage::kProcess) {
    if (auto confirmed = sandbox::oci::confirm_hooks(own_end_); !confirmed)
      return failure("create the container", "its sentry is gone", "create it anew");
    TRY(take_announcement());
  }
  if (!options_.pid_file.empty()) TRY(write_pid_file(options_.pid_file, record_.pid));
  record_.phase = ContainerRecord::Phase::kCreated;
  TRY(directory_->save(record_));
  if (auto confirmed = sandbox::oci::confirm_created(own_end_); !confirmed)
    return failure("create the container", "its sentry is gone", "create it anew");
  return {};
}

Configured<ContainerRecord> Creation::run() {
  directory_.emplace(TRY(runtime_.store.create(options_.id)));
  TRY(read_configuration());
  TRY(connect_console());
  TRY(add_descriptors());
  TRY(make_groups());
  TRY(start_sentry());
  TRY(finish_process());
  is_finished_ = true;
  return record_;
}

}  // namespace

std::span<const Option> create_options() { return kOptions; }

Configured<CreateOptions> read_create_options(const Arguments& arguments) {
  constexpr int kMostDescriptors = 1024;
  CreateOptions options{.id = TRY(container_id(arguments)),
                        .bundle = arguments.text("bundle", "."),
                        .pid_file = arguments.text("pid-file"),
                        .console_socket = arguments.text("console-socket")};
  options.preserved_descriptors = TRY(arguments.number("preserve-fds", 0, 0, kMostDescriptors));
  return options;
}

Configured<void> write_pid_file(const std::string& path, pid_t pid) {
  const std::string fresh = path + ".new";
  UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  Result<void> written = file ? write_all(file.get(), std::to_string(pid)) : last_error();
  if (written) written = host_status(::rename(fresh.c_str(), path.c_str()));
  if (written) return {};
  ::unlink(fresh.c_str());
  return failure(fmt::format("write the pid file {}", printable(path)), written.error(),
                 "a place that you may write to");
}

Configured<ContainerRecord> create_container(const Runtime& runtime, CreateOptions options) {
  return Creation(runtime, std::move(options)).run();
}

Configured<int> command_create(const Runtime& runtime, const Arguments& arguments) {
  CreateOptions options = TRY(read_create_options(arguments));
  TRY(create_container(runtime, std::move(options)));
  return 0;
}

}  // namespace sandbox::tools::oci
