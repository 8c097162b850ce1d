// run_sandbox: one sandbox from its configuration to its exit code.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "platform/filter.h"
#include "platform/host_file.h"
#include "platform/host_mounts.h"
#include "platform/loader/loader_abi.h"
#include "platform/pid_namespace_launcher.h"
#include "platform/pidfd.h"
#include "platform/seccomp_profile.h"
#include "sentry/failure.h"
#include "sentry/kernel_view.h"
#include "sentry/lifecycle/registration.h"
#include "sentry/oci/container_control.h"
#include "sentry/oci/container_namespaces.h"
#include "sentry/oci/device_nodes.h"
#include "sentry/oci/exec_server.h"
#include "sentry/oci/prepared_trees.h"
#include "sentry/oci/resource_limits.h"
#include "sentry/oci/terminal.h"
#include "sentry/profile_reports.h"
#include "sentry/program_lookup.h"
#include "sentry/resources/sandbox_resources.h"
#include "sentry/sandbox_subject.h"
#include "sentry/self_confinement.h"
#include "sentry/sentry.h"
#include "sentry/setup_filesystems.h"
#include "sentry/setup_ids.h"
#include "sentry/signal_forwarder.h"
#include "sentry/trace_service.h"
#include "sentry/tracing_failure.h"

namespace sandbox {

namespace {

using platform::EngineKind;
using platform::NamespaceKind;

constexpr int kTimedOut = 124;

// docker's default set and CAP_SYS_ADMIN (mount in the sandbox); they count in the workload's own user
// namespace only.
constexpr int kRootCapabilities[] = {
    CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,           CAP_KILL,
    CAP_SETGID,     CAP_SETUID,       CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_RAW,
    CAP_SYS_CHROOT, CAP_MKNOD,        CAP_SETFCAP, CAP_AUDIT_WRITE,      CAP_SYS_ADMIN};

CapabilitySets capabilities_of(uid_t uid) {
  uint64_t set = 0;
  if (uid == 0)
    for (int capability : kRootCapabilities) set |= uint64_t{1} << capability;
  return {.bounding = set, .permitted = set, .effective = set};
}

// A real host directory must never enter: openat(fd, "..") would leave the sandbox.
Configured<std::vector<platform::PassedFd>> passed_descriptors(const SandboxConfig& config) {
  std::vector<int> numbers{0, 1, 2};
  numbers.insert(numbers.end(), config.passed_descriptors.begin(), config.passed_descriptors.end());
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<platform::PassedFd> passed;
  for (int number : numbers) {
    struct stat status;
    if (::fstat(number, &status) != 0) {
      if (number <= 2) continue;  // closed here, closed inside
      return failure(fmt::format("pass descriptor {}", number), Errno::last(),
                     "open it first, or leave --pass-fd out");
    }
    if (S_ISDIR(status.st_mode))
      return failure(fmt::format("pass descriptor {}", number), "it is a directory of the host",
                     "use --bind to show a directory inside");
    passed.push_back({number, number});
  }
  return passed;
}

Configured<EngineKind> choose_engine(const SandboxConfig& config) {
  if (config.engine == EngineKind::kNotify && config.recorder != nullptr &&
      config.recorder->needs_registers())
    return failure("show stacks and instructions", "the notify engine is not told the registers of calls",
                   "--platform=ptrace, or leave --platform out");
  if (config.engine) {
    auto support = platform::probe_engine(*config.engine);
    if (support.is_supported) return *config.engine;
    return failure("use the engine that --platform names", support.detail,
                   "--platform=auto, and `sandbox info`");
  }
  // A trace wants to know what calls return that the kernel runs in the end: only ptrace sees it.
  const bool is_traced = config.recorder != nullptr;
  if (!is_traced && platform::probe_engine(EngineKind::kNotify).is_supported) return EngineKind::kNotify;
  auto support = platform::probe_engine(EngineKind::kPtrace);
  if (support.is_supported) return EngineKind::kPtrace;
  return failure("find an engine that works here", support.detail, "sandbox info");
}

std::string own_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string own_working_directory() {
  char* path = ::getcwd(nullptr, 0);
  std::string text = path ? path : "/";
  std::free(path);
  return text;
}

mode_t own_umask() {
  mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

std::unexpected<RunFailure> launch_failure(const std::string& context, Errno error) {
  return failure(context, error, "`sandbox info` tells what this host supports");
}

// Everything of one run; members are in the order in which they depend on each other.
class Run {
 public:
  explicit Run(const SandboxConfig& config) : config_(config) {}
  ~Run() {
    if (resources_) resources_->forget_sentry();
    trace_service_.reset();
    signals_.reset();
    platform_.reset();
    if (sentry_) sentry_->vfs().leave_names_to_exit();
  }
  std::expected<RunOutcome, RunFailure> run();

 private:
  Configured<void> prepare();
  Configured<void> join_groups();
  void choose_namespaces();
  void choose_credentials();
  std::optional<int64_t> boot_time_offset_ns() const;
  Configured<void> prepare_container();
  Configured<void> prepare_terminal();
  Configured<bool> wait_for_hooks();
  Configured<void> build_tree();
  void make_directories(const std::string& path);
  Configured<vfs::Location> working_directory(const vfs::Caller& caller);
  Configured<void> launch();
  Configured<void> use_profile();
  int reserved_descriptor() const;
  void show_to_host(pid_t first_task);
  void hide_own_traces(pid_t first_task);
  Configured<bool> wait_for_start(pid_t first_task);
  void prepare_trace_service();
  void note_traceable();
  RunOutcome finish(int wait_status);
  vfs::Caller first_caller(vfs::Location cwd) const;

  const SandboxConfig& config_;
  std::string caller_directory_;
  mode_t umask_ = 022;
  rlimit descriptor_limit_{};
  std::optional<oci::ContainerTerminal> terminal_;
  UniqueFd device_nodes_;
  oci::PreparedTrees prepared_trees_;
  RunOutcome outcome_;
  WorkloadIds ids_;
  Credentials credentials_;
  platform::LaunchOptions launch_;
  std::unique_ptr<platform::PidNamespaceLauncher> pid_launcher_;  // null: no PID namespace is joined
  std::unique_ptr<platform::Launch> begun_;
  UniqueFd host_proc_;
  std::unique_ptr<lifecycle::Registration> registration_;  // null: neither name nor limits
  cgroup::CgroupSources cgroup_sources_;                   // of this process
  cgroup::CgroupDirectories groups_;                       // that hold the workload
  // Destroyed last to first: the workload before the sentry, the sentry's Vfs before what /proc asks.
  std::unique_ptr<SandboxResources> resources_;
  std::unique_ptr<FilesystemSetup> filesystems_;
  std::unique_ptr<SentryKernelView> kernel_view_;
  std::unique_ptr<SandboxSubject> subject_;
  std::unique_ptr<ProfileReports> reports_;  // null: nobody wants to hear
  std::unique_ptr<Sentry> sentry_;
  vfs::Vfs* vfs_ = nullptr;
  std::unique_ptr<vfs::Vfs> new_vfs_;
  std::unique_ptr<platform::Platform> platform_;
  std::unique_ptr<SignalForwarder> signals_;
  std::optional<lifecycle::StateDirectory> state_;  // of a run that others can find
  std::optional<TraceService> trace_service_;
  std::unique_ptr<oci::ExecServer> execs_;  // null: no container
};

Configured<void> Run::use_profile() {
  if (config_.seccomp == nullptr) return {};
  const platform::SyscallEvent exec{
      .host_tid = 0, .number = SYS_execve, .args = {}, .instruction_pointer = 0};
  using Kind = platform::ProfileAction::Kind;
  const Kind kind = config_.seccomp->decide(exec).kind;
  if (kind != Kind::kAllow && kind != Kind::kLog)
    return failure("run a program under the seccomp profile", "the profile refuses execve",
                   "a profile that allows execve: no program starts without");
  launch_.profile = config_.seccomp.get();
  if (config_.tell_violation) {
    reports_ = std::make_unique<ProfileReports>(config_.tell_violation);
    launch_.profile_observer = reports_.get();
  }
  return {};
}

Configured<void> Run::prepare() {
  auto descriptors = passed_descriptors(config_);
  if (!descriptors) return std::unexpected(descriptors.error());
  launch_.descriptors = *std::move(descriptors);
  auto engine = choose_engine(config_);
  if (!engine) return std::unexpected(engine.error());
  launch_.engine = *engine;
  TRY(join_groups());
  caller_directory_ = own_working_directory();
  umask_ = config_.container ? config_.container->umask : own_umask();
  descriptor_limit_ = raise_descriptor_limit();
  if (config_.container) TRY(prepare_container());

  auto namespaces = platform::enter_sentry_namespaces();
  if (!namespaces)
    return failure("enter a user namespace", namespaces.error(),
                   "`sandbox info` tells what forbids it and how to allow it");
  auto ids = workload_ids(config_, *namespaces);
  if (!ids) return std::unexpected(ids.error());
  ids_ = *std::move(ids);

  choose_namespaces();
  launch_.uid_map = ids_.uid_map;
  launch_.gid_map = ids_.gid_map;
  launch_.id_keeper = ids_.keeper;
  if (ids_.keeper == platform::IdKeeper::kKernel) {
    launch_.uid = ids_.uid;
    launch_.gid = ids_.gid;
    launch_.groups = ids_.groups;
  }
  if (!config_.container) launch_.hostname = config_.hostname;
  launch_.init = config_.init;
  launch_.umask = umask_;
  if (config_.recorder != nullptr) {
    launch_.observer = config_.recorder;
    launch_.traced = config_.recorder->calls();
  }
  TRY(use_profile());
  choose_credentials();
  if (config_.container) TRY(prepare_terminal());

  // The first process makes itself ready on another CPU while the tree is built on this one.
  std::string context;
  auto begun = platform::Launch::begin(launch_, context);
  if (!begun) return launch_failure(context, begun.error());
  begun_ = *std::move(begun);
  return {};
}

// Which groups the workload will be in: those made for it, or the caller's.
Configured<void> Run::join_groups() {
  const bool has_groups = config_.container && !config_.container->cgroup_membership.empty();
  if (!config_.container) {
    registration_ = TRY(lifecycle::Registration::create(config_, outcome_.warnings));
    if (registration_) {
      launch_.cgroup_join_files = registration_->join_files();
      if (auto state = lifecycle::StateDirectory::open()) state_.emplace(*std::move(state));
    }
  }
  // A registration may have moved this process to another group.
  if (auto sources = cgroup::own_cgroup_sources()) cgroup_sources_ = *std::move(sources);
  if (has_groups) {
    cgroup_sources_.membership = config_.container->cgroup_membership;
    launch_.cgroup_join_files = config_.container->cgroup_join_files;
  }
  groups_ = registration_ ? registration_->charged_groups() : cgroup::discover_cgroups(cgroup_sources_);
  return {};
}

void Run::choose_namespaces() {
  if (config_.container) {
    launch_.namespaces = config_.container->new_namespaces;
    return;
  }
  launch_.namespaces = {NamespaceKind::kUser, NamespaceKind::kPid, NamespaceKind::kMount,
                        NamespaceKind::kIpc,  NamespaceKind::kUts, NamespaceKind::kCgroup};
  if (config_.network == SandboxConfig::Network::kLoopback) launch_.namespaces.push_back(NamespaceKind::kNet);
}

// What has to be done with the caller's rights, before the sentry has namespaces of its own.
Configured<void> Run::prepare_container() {
  const oci::ContainerConfig& container = *config_.container;
  auto limits = oci::raise_hard_limits(container.limits, container.limits_above);
  if (!limits) return std::unexpected(limits.error());
  launch_.limits = *std::move(limits);
  auto mounter = platform::make_host_mounter();
  device_nodes_ = TRY(oci::make_device_nodes(*mounter, container));
  prepared_trees_ = TRY(oci::make_prepared_trees(*mounter, container));
  if (UniqueFd shared = TRY(oci::enter_joined_namespaces(container.joined_namespaces))) {
    auto launcher = platform::PidNamespaceLauncher::create(shared);
    if (!launcher)
      return failure("join the PID namespace of another container", launcher.error(),
                     "run it as who made the namespace");
    pid_launcher_ = *std::move(launcher);
    launch_.pid_launcher = pid_launcher_.get();
  }
  launch_.session = platform::LaunchOptions::Session::kOwn;
  launch_.parent = platform::LaunchOptions::Parent::kParentOfSentry;
  launch_.root = platform::LaunchOptions::Root::kApart;
  launch_.personality = container.personality;
  launch_.clock_offsets = container.clock_offsets;
  launch_.domainname = container.domainname;
  const bool has_new_names = std::ranges::count(container.new_namespaces, NamespaceKind::kUts) > 0;
  if (has_new_names) launch_.hostname = config_.hostname;
  return {};
}

Configured<void> Run::prepare_terminal() {
  const oci::ContainerConfig& container = *config_.container;
  if (container.terminal == oci::ContainerConfig::Terminal::kNone) return {};
  auto mounter = platform::make_host_mounter();
  terminal_ = TRY(oci::ContainerTerminal::create(*mounter, ids_.uid_map.to_outside(ids_.uid).value_or(0),
                                                 {container.console_height, container.console_width}));
  launch_.session = platform::LaunchOptions::Session::kOwnTerminal;
  std::erase_if(launch_.descriptors, [](const platform::PassedFd& passed) { return passed.target <= 2; });
  for (int number : {0, 1, 2}) launch_.descriptors.push_back({terminal_->slave.get(), number});
  return {};
}

void Run::choose_credentials() {
  launch_.capabilities = config_.container ? config_.container->capabilities : capabilities_of(ids_.uid);
  credentials_ = Credentials::of(ids_.uid, ids_.gid, ids_.groups);
  credentials_.effective_caps = launch_.capabilities.effective;
  credentials_.permitted_caps = launch_.capabilities.permitted;
}

// How far CLOCK_BOOTTIME is ahead of the sentry's in the workload's own time namespace, which the sentry is
// in as well when it is joined by path; nothing: the workload has none.
std::optional<int64_t> Run::boot_time_offset_ns() const {
  if (!config_.container) return std::nullopt;
  const oci::ContainerConfig& container = *config_.container;
  const bool is_joined =
      std::ranges::count(container.joined_namespaces, NamespaceKind::kTime, &oci::JoinedNamespace::kind) > 0;
  const bool is_new = std::ranges::count(container.new_namespaces, NamespaceKind::kTime) > 0;
  if (!is_joined && !is_new) return std::nullopt;
  auto offset = std::ranges::find(container.clock_offsets, CLOCK_BOOTTIME, &platform::ClockOffset::clock);
  if (offset == container.clock_offsets.end()) return 0;
  return offset->seconds * 1'000'000'000 + offset->nanoseconds;
}

// Whether the container is still wanted. Hooks find the process in its namespaces, and the root's files in
// the sentry's mount namespace.
Configured<bool> Run::wait_for_hooks() {
  if (!config_.container) return true;
  const oci::ContainerConfig& container = *config_.container;
  if (container.tree_time == oci::ContainerConfig::TreeTime::kAtOnce) return true;
  std::string context;
  auto first = begun_->wait_until_ready(context);
  if (!first) return launch_failure(context, first.error());
  auto announced = container.control->announce({oci::Announced::Stage::kProcess, *first});
  return announced && container.control->wait_for_hooks();
}

Configured<void> Run::build_tree() {
  host_proc_ = UniqueFd(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!host_proc_) return failure("open /proc", Errno::last(), "mount /proc on the host");
  kernel_view_ =
      std::make_unique<SentryKernelView>(host_proc_.get(), ids_.uid_map, ids_.gid_map,
                                         config_.hostname.empty() ? own_hostname() : config_.hostname);
  UniqueFd host_sys(::open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  resources_ = std::make_unique<SandboxResources>(
      host_proc_.get(), std::move(host_sys), groups_,
      registration_ ? registration_->unenforced() : cgroup::Limits{}, boot_time_offset_ns());
  filesystems_ =
      std::make_unique<FilesystemSetup>(config_, ids_, *kernel_view_, *resources_, cgroup_sources_);
  if (terminal_) filesystems_->set_terminal(*terminal_);
  filesystems_->set_device_nodes(std::move(device_nodes_));
  filesystems_->set_prepared_trees(std::move(prepared_trees_));
  if (pid_launcher_) filesystems_->set_shared_procfs(pid_launcher_->take_procfs());
  auto vfs = filesystems_->build();
  if (!vfs) return std::unexpected(vfs.error());
  new_vfs_ = *std::move(vfs);
  vfs_ = new_vfs_.get();
  for (const platform::PassedFd& passed : launch_.descriptors) {
    if (terminal_ && passed.target <= 2) continue;  // it is the container's own
    vfs_->note_passed_descriptor(passed.source);
    kernel_view_->note_passed_descriptor(passed.source);
  }
  return {};
}

vfs::Caller Run::first_caller(vfs::Location cwd) const {
  return {.root = vfs_->root(), .cwd = std::move(cwd), .credentials = credentials_, .umask = umask_};
}

// As far as they are missing, as the container's root; entering them tells what went wrong.
void Run::make_directories(const std::string& path) {
  const Credentials everything{.effective_caps = ~uint64_t{0}};
  vfs::Caller setup{.root = vfs_->root(), .cwd = vfs_->root(), .credentials = everything, .umask = 0};
  for (size_t end = 0; end != path.npos;) {
    end = path.find('/', end + 1);
    (void)vfs_->mkdir(setup, setup.root, path.substr(0, end), 0755);
  }
}

Configured<vfs::Location> Run::working_directory(const vfs::Caller& caller) {
  if (!config_.working_directory.empty()) {
    if (config_.container || !config_.layers.empty()) make_directories(config_.working_directory);
    auto entered = vfs_->enter_directory(caller, caller.root, config_.working_directory, {});
    if (entered) return *std::move(entered);
    return failure(fmt::format("enter the working directory {}", config_.working_directory), entered.error(),
                   "--workdir takes a directory that exists inside");
  }
  auto entered = vfs_->enter_directory(caller, caller.root, caller_directory_, {});
  return entered ? *std::move(entered) : vfs_->root();
}

int Run::reserved_descriptor() const {
  return launch_.engine == platform::EngineKind::kPtrace ? platform::kReservedFd : -1;
}

Configured<void> Run::launch() {
  sentry_ = std::make_unique<Sentry>(SentryParts{.vfs = std::move(new_vfs_),
                                                 .host_proc = std::move(host_proc_),
                                                 .uid_map = ids_.uid_map,
                                                 .gid_map = ids_.gid_map,
                                                 .hostname = kernel_view_->hostname(),
                                                 .resources = resources_.get(),
                                                 .reserved_descriptor = reserved_descriptor()});
  kernel_view_->set_sentry(*sentry_);
  resources_->set_sentry(*sentry_);
  subject_ = std::make_unique<SandboxSubject>(*kernel_view_, config_, *sentry_, registration_.get());
  if (config_.recorder != nullptr) config_.recorder->set_subject(*subject_);
  if (reports_) reports_->set_subject(*subject_);
  std::string context;
  auto created = platform::Platform::create(std::move(begun_), *sentry_, context);
  if (!created) return launch_failure(context, created.error());
  platform_ = *std::move(created);
  const bool is_configured = std::ranges::find(launch_.limits, RLIMIT_NOFILE,
                                               &platform::ResourceLimit::resource) != launch_.limits.end();
  if (auto limited =
          is_configured ? Result<void>() : set_descriptor_limit(platform_->first_task(), descriptor_limit_);
      !limited)
    outcome_.warnings.push_back(
        fmt::format("the limit of open files could not be given back: {}", reason_in_words(limited.error())));
  for (const auto& [kind, error] : platform_->missing_namespaces())
    outcome_.warnings.push_back(fmt::format("the workload has no {} namespace of its own: {}",
                                            platform::name_of(kind), reason_in_words(error)));
  return {};
}

// For the engine's commands that enter the container's mount namespace; the container runs without, too.
void Run::show_to_host(pid_t first_task) {
  auto view = filesystems_->take_host_view();
  if (!view) return;
  if (auto shown = platform::show_to_host(first_task, *view); !shown)
    outcome_.warnings.push_back(
        fmt::format("the host's programs find no files in the container's mount namespace: {}",
                    reason_in_words(shown.error())));
}

// What is ours in every task, and nobody shall see below /proc. The first task has not run yet, so its root
// is still the empty one with the loader in it.
void Run::hide_own_traces(pid_t first_task) {
  struct stat loader;
  std::string path = fmt::format("{}/root{}", first_task, platform::kLoaderPath);
  if (::fstatat(sentry_->host_proc(), path.c_str(), &loader, AT_SYMLINK_NOFOLLOW) == 0)
    kernel_view_->set_loader(loader.st_dev, loader.st_ino);
  kernel_view_->set_reserved_descriptor(reserved_descriptor());
}

// The container exists from now on; whether its program is to run. The sentry holds on to none of what the
// engine handed in for it.
Configured<bool> Run::wait_for_start(pid_t first_task) {
  oci::ContainerControl& control = *config_.container->control;
  if (terminal_) {
    auto sent = oci::send_console(control.console().get(), terminal_->master);
    if (!sent) return failure("hand the terminal to the console socket", sent.error(), "listen on it");
    terminal_.reset();
    control.close_console();
  }
  UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int number : {STDIN_FILENO, STDOUT_FILENO}) ::dup2(nothing.get(), number);
  ::dup2(control.log() ? control.log().get() : nothing.get(), STDERR_FILENO);
  for (const platform::PassedFd& passed : launch_.descriptors)
    if (passed.target > STDERR_FILENO) ::close(passed.source);
  auto process = platform::open_pidfd(first_task);
  if (!process) return failure("watch the first process", process.error(), "create the container anew");
  if (auto told = control.announce({oci::Announced::Stage::kReady, first_task}); !told)
    return failure("create the container", "the create command is gone", "create it anew");
  const auto outcome = control.wait_for_start(process->get());
  if (outcome == oci::ContainerControl::Outcome::kStartHooks) platform_->hold_first_task();
  return outcome == oci::ContainerControl::Outcome::kStart ||
         outcome == oci::ContainerControl::Outcome::kStartHooks;
}

// For runs that others can find, unless they are traced from the start.
void Run::prepare_trace_service() {
  if (!state_ || config_.recorder != nullptr || !config_.begin_trace) return;
  if (auto name = registration_->recorded_name())
    trace_service_.emplace(*std::move(state_), *std::move(name));
}

void Run::note_traceable() {
  if (trace_service_) registration_->note_traceable(TraceService::request_signal());
}

RunOutcome Run::finish(int wait_status) {
  RunOutcome outcome = std::move(outcome_);
  outcome.exit_code = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  if (signals_->has_timed_out()) {
    outcome.has_timed_out = true;
    outcome.exit_code = kTimedOut;
  }
  if (registration_) outcome.memory_kill = registration_->memory_kill();
  if (reports_) reports_->finish();
  return outcome;
}

std::expected<RunOutcome, RunFailure> Run::run() {
  if (auto done = prepare(); !done) return std::unexpected(done.error());
  auto is_wanted = wait_for_hooks();
  if (!is_wanted) return std::unexpected(is_wanted.error());
  if (!*is_wanted) return std::move(outcome_);
  if (auto done = build_tree(); !done) return std::unexpected(done.error());
  auto directory = working_directory(first_caller(vfs_->root()));
  if (!directory) return std::unexpected(directory.error());
  vfs::Caller caller = first_caller(*directory);
  auto program =
      find_program(*vfs_, caller, config_.argv.empty() ? "" : config_.argv[0], config_.environment);
  if (!program) return std::unexpected(program.error());
  if (auto done = launch(); !done) return std::unexpected(done.error());

  signals_ = std::make_unique<SignalForwarder>();
  prepare_trace_service();
  pid_t first = platform_->first_task();
  sentry_->add_first_task(
      first, {.fs = {.root = caller.root, .cwd = caller.cwd, .umask = umask_},
              .no_new_privs = config_.container ? config_.container->no_new_privs : NoNewPrivs::kSet,
              .core_limit = platform::core_limit_in(launch_.limits),
              .ids = ids_.keeper == platform::IdKeeper::kSentry
                         ? std::optional(TaskIds::of(ids_.uid, ids_.gid, ids_.groups, launch_.capabilities))
                         : std::nullopt});
  pid_t init = config_.container ? 0 : sentry_->parent_of_first_task(first);
  if (init != 0) kernel_view_->set_init(init);
  // Before others can find it, so that they find it as what it is; a request waits for the service to start.
  if (!config_.container) note_traceable();
  if (registration_) registration_->note_started(init != 0 ? init : first, first);
  if (config_.container) show_to_host(first);
  hide_own_traces(first);
  // Whatever groups it was put into: what it reads about them is read there.
  if (auto groups = platform::read_host_file(fmt::format("/proc/{}/cgroup", first)))
    filesystems_->cgroups().enter(*groups);
  if (auto confined = confine_sentry(); !confined)
    return failure("give up the sentry's own privileges", confined.error(), "report this as a bug");
  if (config_.container) {
    auto is_started = wait_for_start(first);
    if (!is_started) return std::unexpected(is_started.error());
    if (!*is_started) return std::move(outcome_);
    auto terminals = filesystems_->devpts_of_terminal();
    if (!terminals) return std::unexpected(terminals.error());
    execs_ = std::make_unique<oci::ExecServer>(config_.container->control->take_listener(),
                                               *std::move(terminals), *sentry_, *platform_);
    note_traceable();
  }
  signals_->start(*platform_, config_.timeout);
  if (trace_service_ && !trace_service_->start(*platform_, *subject_, config_.begin_trace))
    registration_->note_traceable(0);

  auto ended = platform_->run(*program, config_.argv, config_.environment);
  if (!ended)
    return tracing_failure("run the workload", ended.error(),
                           "run again with --log-level debug, and report this as a bug");
  if (ended->exec_error)
    return std::unexpected(explain_exec_failure(*vfs_, caller, *program, *ended->exec_error));
  return finish(ended->wait_status);
}

}  // namespace

std::expected<RunOutcome, RunFailure> run_sandbox(const SandboxConfig& config) { return Run(config).run(); }

}  // namespace sandbox
