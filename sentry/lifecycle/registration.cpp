// Creating the record and the groups of a run, and setting its limits.
#include "sentry/lifecycle/registration.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "sentry/cgroup/limit_check.h"
#include "sentry/lifecycle/leftovers.h"

namespace sandbox::lifecycle {

namespace {

using cgroup::Controller;
using cgroup::LimitFailure;

std::vector<Controller> wanted_controllers(const cgroup::Limits& limits) {
  std::vector<Controller> wanted;
  for (cgroup::LimitKind kind : kinds_of(limits)) {
    Controller controller = controller_of(kind);
    if (std::ranges::find(wanted, controller) == wanted.end()) wanted.push_back(controller);
  }
  return wanted;
}

// A group that is missing explains more than the file that could not be written.
cgroup::WorkloadGroup::Obstacle explain(const cgroup::WorkloadGroup& group, const LimitFailure& failed) {
  if (auto obstacle = group.obstacle(controller_of(failed.kind))) return *obstacle;
  return {failed.reason, fmt::format("without {}", option_name(failed.kind))};
}

}  // namespace

Configured<std::unique_ptr<Registration>> Registration::create(const SandboxConfig& config,
                                                               std::vector<std::string>& warnings) {
  if (config.name.empty() && config.limits.is_empty()) return nullptr;
  if (auto checked = check_limits(config.limits, cgroup::Machine::of_caller()); !checked)
    return std::unexpected(checked.error());
  if (config.limits.pids == 1 && config.init == platform::LaunchOptions::Init::kBuiltIn)
    return failure("use the value of --pids-limit", "the small init is a task as well",
                   "--pids-limit 2, or more, or --no-init");
  std::unique_ptr<Registration> registration(new Registration);
  if (auto done = registration->take_record(config, warnings); !done) return std::unexpected(done.error());
  if (auto done = registration->make_groups(config, warnings); !done) return std::unexpected(done.error());
  return registration;
}

Configured<void> Registration::take_record(const SandboxConfig& config, std::vector<std::string>& warnings) {
  const pid_t self = ::getpid();
  const std::string name = config.name.empty() ? name_without_name(self) : config.name;
  SandboxRecord record{.name = name, .owner = self, .owner_start = start_time_of(self).value_or(0)};
  group_name_ = record.group_name();

  auto state = StateDirectory::open();
  if (!state) {
    std::string reason = fmt::format("{}: {}", StateDirectory::own_path(), reason_in_words(state.error()));
    const char* advice = "a directory of your own that only you can write to, in XDG_RUNTIME_DIR";
    if (!config.name.empty()) return failure(fmt::format("name the sandbox {}", name), reason, advice);
    warnings.push_back(
        fmt::format("control groups will stay behind should the sandbox be killed: {}", reason));
    return {};
  }
  for (const Cleaned& cleaned : clean_leftovers(*state))
    for (const std::string& problem : cleaned.problems)
      warnings.push_back(fmt::format("{} was killed and could not be cleaned up: {}", cleaned.name, problem));
  auto claim = state->claim(name, StateDirectory::Missing::kCreate);
  if (!claim)
    return failure(fmt::format("name the sandbox {}", name),
                   claim.error() == Errno(EBUSY) ? "a running sandbox has that name (EBUSY)"
                                                 : reason_in_words(claim.error()),
                   "another name, or `sandbox ps` to see which are running");
  claim_.emplace(*std::move(claim));
  // What could not be removed keeps its record only as long as nobody needs the name.
  (void)clean_after(*claim_);
  (void)claim_->clear();
  note(record_line("name", name) +
       record_words("owner", {std::to_string(self), std::to_string(record.owner_start)}) +
       record_line("started", std::to_string(::time(nullptr))) + record_words("argv", config.argv));
  return {};
}

Configured<void> Registration::make_groups(const SandboxConfig& config, std::vector<std::string>& warnings) {
  cgroup::CgroupDirectories own;
  if (auto sources = cgroup::own_cgroup_sources()) own = discover_cgroups(*sources);
  group_ = std::make_unique<cgroup::WorkloadGroup>(
      std::move(own), group_name_, wanted_controllers(config.limits),
      [this](const std::string& host_path) { note(record_line("group", host_path)); });

  for (const LimitFailure& failed : write_limits(group_->directories(), config.limits)) {
    auto [reason, advice] = explain(*group_, failed);
    if (config.unenforced_limits == SandboxConfig::UnenforcedLimits::kRefuse)
      return failure(fmt::format("enforce {}", option_name(failed.kind)), reason,
                     fmt::format("{}; or --unenforced-limits=warn to have it shown inside only", advice));
    warnings.push_back(fmt::format("{} is shown but not enforced: {}", option_name(failed.kind), reason));
    copy_limit(config.limits, failed.kind, unenforced_);
  }
  auto files = group_->open_join_files();
  if (!files)
    return failure("join the sandbox's control groups", files.error(),
                   "run it as root, or without limits and name");
  join_files_ = *std::move(files);
  return {};
}

std::vector<int> Registration::join_files() const {
  std::vector<int> numbers;
  for (const UniqueFd& file : join_files_) numbers.push_back(file.get());
  return numbers;
}

void Registration::note(std::string_view line) {
  if (claim_) (void)claim_->append(line);
}

std::optional<std::string> Registration::recorded_name() const {
  if (!claim_) return std::nullopt;
  return claim_->name();
}

void Registration::note_traceable(int signal) { note(record_line("trace-signal", std::to_string(signal))); }

void Registration::note_started(pid_t init, pid_t program) {
  join_files_.clear();
  note(record_words("running", {std::to_string(init), std::to_string(program)}));
}

Registration::~Registration() {
  bool is_gone = !group_ || group_->remove().has_value();
  if (!claim_) return;
  is_gone ? claim_->release() : claim_->abandon();
}

}  // namespace sandbox::lifecycle
