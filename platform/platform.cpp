// Platform::create and the running workload.
#include "platform/platform.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <utility>

#include "platform/launch.h"
#include "platform/notify_engine.h"
#include "platform/observed_supervisor.h"
#include "platform/pidfd.h"
#include "platform/process_memory.h"
#include "platform/profiled_supervisor.h"
#include "platform/ptrace_engine.h"
#include "platform/tracer.h"

namespace sandbox::platform {

rlimit core_limit_in(const std::vector<ResourceLimit>& limits) {
  auto found = std::ranges::find(limits, RLIMIT_CORE, &ResourceLimit::resource);
  rlimit limit{};
  if (found != limits.end())
    limit = found->limit;
  else
    ::getrlimit(RLIMIT_CORE, &limit);
  return limit;
}

namespace {

class RunningWorkload final : public Platform {
 public:
  RunningWorkload(LaunchedProcess process, Supervisor& sentry, EngineKind kind,
                  const std::optional<Observation>& observation,
                  const std::optional<Enforcement>& enforcement)
      : process_(std::move(process)),
        observation_(observation),
        enforcement_(enforcement),
        profiled_(enforce(sentry, enforcement_, kind)),
        observed_(observe(profiled_ ? *profiled_ : sentry, observation_)),
        tracer_(outermost(sentry), process_, kind),
        kind_(kind) {
    Supervisor& supervisor = outermost(sentry);
    if (observation_) tracer_.set_observation(*observation_);
    if (enforcement_) tracer_.set_enforcement(*enforcement_);
    if (profiled_) profiled_->set_tracer(tracer_);
    if (kind == EngineKind::kNotify) {
      engine_ = std::make_unique<NotifyEngine>(tracer_, supervisor);
    } else {
      engine_ = std::make_unique<PtraceEngine>(tracer_, supervisor, process_);
    }
    tracer_.set_engine(*engine_);
  }
  ~RunningWorkload() override {
    if (has_run_) return;
    kill_all();
    waitpid(process_.init_tid, nullptr, __WALL);
  }

  pid_t first_task() const override { return process_.first_tid; }
  const std::vector<std::pair<NamespaceKind, Errno>>& missing_namespaces() const override {
    return process_.missing_namespaces;
  }

  Result<Outcome> run(const std::string& path, const std::vector<std::string>& argv,
                      const std::vector<std::string>& environment) override {
    TRY(tracer_.attach());
    {
      std::lock_guard guard(hold_lock_);
      first_program_ = {path, argv, environment};
      if (hold_ != Hold::kHeld) TRY(release_locked());
    }
    has_run_ = true;
    Outcome outcome = tracer_.serve();
    if (observation_) observation_->delayed->stop();
    if (auto failure = tracer_.launch_failure(); failure && failure->step != nullptr)
      return std::unexpected(failure->error);
    return outcome;
  }

  void hold_first_task() override {
    std::lock_guard guard(hold_lock_);
    hold_ = Hold::kHeld;
  }
  Result<void> release_first_task() override {
    std::lock_guard guard(hold_lock_);
    if (hold_ != Hold::kHeld) return {};
    hold_ = Hold::kNone;
    return first_program_ ? release_locked() : Result<void>();
  }

  EngineKind engine() const override { return kind_; }
  int reserved_socket() const override { return process_.descriptor_receiver.get(); }
  Result<void> adopt(pid_t tid, const UniqueFd& channel, const std::string& path,
                     const std::vector<std::string>& argv,
                     const std::vector<std::string>& environment) override {
    Result<void> attached = err(ESRCH);
    tracer_.run_on_tracer([&] { attached = tracer_.attach_joined(tid); });
    TRY(attached);
    return release_process(channel, path, argv, environment);
  }

  // The init's death is the death of every process of its PID namespace.
  void kill_all() override { (void)send_signal(process_.init_pidfd, SIGKILL); }
  void signal_first_task(int signal) override { (void)send_signal(process_.first_pidfd, signal); }

  Result<void> watch(const Watch& watch) override { return tracer_.watch(watch); }
  void unwatch() override { tracer_.unwatch(); }

  std::unique_ptr<GuestMemory> memory_of(pid_t host_tid) override {
    return std::make_unique<ProcessMemory>(host_tid);
  }

 private:
  static std::unique_ptr<Supervisor> observe(Supervisor& sentry,
                                             const std::optional<Observation>& observation) {
    if (!observation) return nullptr;
    return std::make_unique<ObservedSupervisor>(sentry, *observation);
  }
  static std::unique_ptr<ProfiledSupervisor> enforce(Supervisor& sentry,
                                                     const std::optional<Enforcement>& enforcement,
                                                     EngineKind kind) {
    if (!enforcement || kind != EngineKind::kNotify) return nullptr;
    return std::make_unique<ProfiledSupervisor>(sentry, *enforcement);
  }
  Result<void> release_locked() {
    return release_process(process_.channel, first_program_->path, first_program_->argv,
                           first_program_->environment);
  }
  Supervisor& outermost(Supervisor& sentry) {
    if (observed_) return *observed_;
    return profiled_ ? *profiled_ : sentry;
  }

  LaunchedProcess process_;
  std::optional<Observation> observation_;
  std::optional<Enforcement> enforcement_;
  std::unique_ptr<ProfiledSupervisor> profiled_;  // null: no profile, or the tracer sees all that it refuses
  std::unique_ptr<Supervisor> observed_;          // null: nobody watches
  Tracer tracer_;
  const EngineKind kind_;
  std::unique_ptr<TracerEngine> engine_;
  bool has_run_ = false;

  struct FirstProgram {
    std::string path;
    std::vector<std::string> argv, environment;
  };
  std::mutex hold_lock_;
  enum class Hold { kNone, kHeld } hold_ = Hold::kNone;  // hold_lock_
  std::optional<FirstProgram> first_program_;            // hold_lock_; known once run() is called
};

// The only Launch there is.
class BegunLaunch final : public Launch {
 public:
  BegunLaunch(LaunchedProcess process, const LaunchOptions& options)
      : process_(std::move(process)), engine_(options.engine) {
    if (options.observer != nullptr) observation_.emplace(*options.observer, options.traced, options.engine);
    if (options.profile != nullptr) enforcement_.emplace(*options.profile, options.profile_observer);
  }
  ~BegunLaunch() override {
    if (process_) abandon_launch(*process_);
  }
  Result<pid_t> wait_until_ready(std::string& context) override {
    if (process_->first_tid == 0) TRY(finish_launch(*process_, context));
    return process_->first_tid;
  }
  LaunchedProcess take() { return *std::exchange(process_, std::nullopt); }
  EngineKind engine() const { return engine_; }
  const std::optional<Observation>& observation() const { return observation_; }
  const std::optional<Enforcement>& enforcement() const { return enforcement_; }

 private:
  std::optional<LaunchedProcess> process_;
  EngineKind engine_;
  std::optional<Observation> observation_;  // nothing: nobody watches
  std::optional<Enforcement> enforcement_;  // nothing: no profile
};

}  // namespace

Result<std::unique_ptr<Launch>> Launch::begin(const LaunchOptions& options, std::string& context) {
  LaunchedProcess process = TRY(begin_launch(options, context));
  return std::make_unique<BegunLaunch>(std::move(process), options);
}

Result<std::unique_ptr<Platform>> Platform::create(std::unique_ptr<Launch> launch, Supervisor& supervisor,
                                                   std::string& context) {
  auto& begun = static_cast<BegunLaunch&>(*launch);
  TRY(begun.wait_until_ready(context));
  return std::make_unique<RunningWorkload>(begun.take(), supervisor, begun.engine(), begun.observation(),
                                           begun.enforcement());
}

}  // namespace sandbox::platform
