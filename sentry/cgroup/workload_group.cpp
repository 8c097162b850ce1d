// Making, entering and removing the groups of a sandbox.
#include "sentry/cgroup/workload_group.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "sentry/cgroup/numbers.h"
#include "sentry/failure.h"

namespace sandbox::cgroup {

namespace {

constexpr const char* kControl = "cgroup.subtree_control";

// `controller` becomes available to the children of `group`, and for that to the group itself.
// Errors: EBUSY: processes are in a group that must not have any; EACCES, EROFS; ENODEV: the host lacks it.
Result<void> enable_for_children(const GroupDirectory& group, Controller controller) {
  if (lists_controller(group.directory.get(), kControl, controller)) return {};
  if (!lists_controller(group.directory.get(), "cgroup.controllers", controller)) {
    if (group.ancestor_count == 0) return err(ENODEV);
    GroupDirectory parent = ancestor_of(group, 1);
    if (!parent) return err(EACCES);
    TRY(enable_for_children(parent, controller));
  }
  return write_group_file(group, kControl, fmt::format("+{}", name_of(controller, HierarchyVersion::kV2)));
}

// A limit that a process would escape by leaving the group upwards.
bool has_own_limit(const GroupDirectory& group) {
  for (const char* file : {"memory.max", "memory.high", "memory.swap.max", "pids.max", "cpu.max"}) {
    auto text = read_group_file(group, file);
    if (text && !text->starts_with("max")) return true;
  }
  for (const char* file : {"cpuset.cpus", "io.max"}) {
    auto text = read_group_file(group, file);
    if (text && text->find_first_not_of(" \n") != std::string::npos) return true;
  }
  return false;
}

bool is_alone_in(const GroupDirectory& group) {
  auto text = read_group_file(group, "cgroup.procs");
  return text && *text == fmt::format("{}\n", ::getpid());
}

Result<void> move_self_to(const GroupDirectory& group) {
  return write_group_file(group, "cgroup.procs", "0");
}

constexpr long kPatience_ms = 2000;

// Exiting processes leave their group a moment after their parent has heard of it. What is waited is taken
// from `patience_ms`.
Result<void> remove_directory(int parent, const std::string& name, long& patience_ms) {
  constexpr long kLongestNap_ms = 50;
  for (long nap_ms = 1;; nap_ms = std::min(nap_ms * 2, kLongestNap_ms)) {
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY || patience_ms <= 0) return last_error();
    timespec nap{.tv_sec = 0, .tv_nsec = nap_ms * 1'000'000};
    ::nanosleep(&nap, nullptr);
    patience_ms -= nap_ms;
  }
}

// A v1 cpuset without CPUs and memory nodes admits nobody.
Result<void> inherit_cpuset(const GroupDirectory& parent, const GroupDirectory& child) {
  struct Pair {
    const char *from, *to;
  };
  for (auto [from, to] :
       {Pair{"cpuset.effective_mems", "cpuset.mems"}, Pair{"cpuset.effective_cpus", "cpuset.cpus"}}) {
    auto text = read_group_file(parent, from);
    if (!text) text = read_group_file(parent, to);
    if (!text) return std::unexpected(text.error());
    TRY(write_group_file(child, to, *text));
  }
  return {};
}

}  // namespace

WorkloadGroup::WorkloadGroup(CgroupDirectories own, std::string name, const std::vector<Controller>& wanted,
                             Note note)
    : own_(std::move(own)), name_(std::move(name)), note_(std::move(note)) {
  groups_.version = own_.version;
  for (Controller controller : kControllers) {
    const GroupDirectory& group = own_.of(controller);
    if (group && group.version == HierarchyVersion::kV1) make_v1(group, controller);
  }
  if (own_.unified) make_v2(wanted);
}

Result<GroupDirectory> WorkloadGroup::make_below(const GroupDirectory& parent, const std::string& name) {
  auto join = [&](const std::string& path) { return path == "/" ? path + name : path + "/" + name; };
  GroupDirectory made{.version = parent.version,
                      .path = join(parent.path),
                      .host_path = join(parent.host_path),
                      .ancestor_count = parent.ancestor_count + 1};
  note_(made.host_path);
  TRY(host_status(::mkdirat(parent.directory.get(), name.c_str(), 0755)));
  Made record{UniqueFd(::fcntl(parent.directory.get(), F_DUPFD_CLOEXEC, 0)), name};
  made.directory =
      UniqueFd(::openat(parent.directory.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  Errno error = Errno::last();
  made_.push_back(std::move(record));
  if (!made.directory) return std::unexpected(error);
  return made;
}

void WorkloadGroup::make_v1(const GroupDirectory& own, Controller controller) {
  for (Controller earlier : kControllers) {
    if (earlier == controller) break;
    const GroupDirectory& shared = groups_.of(earlier);
    if (!shared || own_.of(earlier).host_path != own.host_path) continue;
    groups_.of(controller) = ancestor_of(shared, 0);
    return;
  }
  auto made = make_below(own, name_);
  if (made && controller == Controller::kCpuset)
    if (auto inherited = inherit_cpuset(own, *made); !inherited) made = std::unexpected(inherited.error());
  if (made)
    groups_.of(controller) = *std::move(made);
  else
    errors_[static_cast<size_t>(controller)] = made.error();
}

Result<void> WorkloadGroup::make_v2_at(const GroupDirectory& parent, const std::vector<Controller>& wanted) {
  for (Controller controller : wanted) TRY(enable_for_children(parent, controller));
  for (Controller controller : kControllers)
    if (lists_controller(parent.directory.get(), "cgroup.controllers", controller))
      (void)enable_for_children(parent, controller);
  groups_.unified = TRY(make_below(parent, name_));
  return {};
}

// A group without controllers may be made anywhere; only for one with controllers is it worth to look
// further.
void WorkloadGroup::make_v2(const std::vector<Controller>& wanted) {
  std::vector<Controller> here;
  for (Controller controller : wanted)
    if (own_.of(controller).version == HierarchyVersion::kV2) here.push_back(controller);
  std::optional<Errno> first_error;
  for (size_t steps = 0; steps <= own_.unified.ancestor_count; ++steps) {
    GroupDirectory parent = ancestor_of(own_.unified, steps);
    if (!parent) break;
    auto made = make_v2_at(parent, here);
    if (!made && made.error() == Errno(EBUSY) && steps == 0 && is_alone_in(parent) && step_aside(parent))
      made = make_v2_at(parent, here);
    if (made) break;
    if (!first_error) first_error = made.error();
    if (here.empty() || has_own_limit(parent)) break;
  }
  for (Controller controller : kControllers) {
    if (groups_.of(controller) ||
        (own_.of(controller) && own_.of(controller).version == HierarchyVersion::kV1))
      continue;
    GroupDirectory group = charged_group(groups_.unified, controller);
    if (group && group.host_path == groups_.unified.host_path)
      groups_.of(controller) = std::move(group);
    else
      errors_[static_cast<size_t>(controller)] = first_error;
  }
}

// "No internal processes" (cgroups(7)): a group whose children have controllers has no processes itself.
Result<void> WorkloadGroup::step_aside(const GroupDirectory& own) {
  GroupDirectory leaf = TRY(make_below(own, name_ + "-sentry"));
  leaf_ = std::move(made_.back());
  made_.pop_back();
  return move_self_to(leaf);
}

void WorkloadGroup::step_back() {
  if (!leaf_) return;
  // Not before its children have no controllers any more may the group have processes again.
  auto enabled = read_group_file(own_.unified, kControl);
  std::string disable;
  for (size_t at = 0; enabled && at < enabled->size();) {
    size_t end = std::min(enabled->find_first_of(" \n", at), enabled->size());
    if (end > at) disable += fmt::format("-{} ", enabled->substr(at, end - at));
    at = end + 1;
  }
  if (!disable.empty()) (void)write_group_file(own_.unified, kControl, disable);
  long patience_ms = kPatience_ms;
  if (move_self_to(own_.unified)) (void)remove_directory(leaf_->parent.get(), leaf_->name, patience_ms);
  leaf_.reset();
}

CgroupDirectories WorkloadGroup::charged_groups() const {
  CgroupDirectories charged{.version = own_.version};
  auto pick = [](const GroupDirectory& made, const GroupDirectory& own) {
    return ancestor_of(made ? made : own, 0);
  };
  for (Controller controller : kControllers)
    charged.of(controller) = pick(groups_.of(controller), own_.of(controller));
  charged.unified = pick(groups_.unified, own_.unified);
  return charged;
}

std::optional<WorkloadGroup::Obstacle> WorkloadGroup::obstacle(Controller controller) const {
  if (groups_.of(controller)) return std::nullopt;
  const GroupDirectory& own = own_.of(controller);
  const auto& error = errors_[static_cast<size_t>(controller)];
  std::string_view name = name_of(controller, own.version);
  if (!own || error == Errno(ENODEV))
    return Obstacle{fmt::format("the host has no {} controller that is visible here", name),
                    "mount the host's cgroups on /sys/fs/cgroup, or boot without cgroup_disable="};
  const std::string place = own.version == HierarchyVersion::kV2 ? own_.unified.host_path : own.host_path;
  std::string reason = fmt::format("no group can be made below {}: {}", place,
                                   error ? reason_in_words(*error) : "the controller is not handed down");
  if (error == Errno(EROFS)) return Obstacle{reason, "mount the cgroups writable"};
  if (error == Errno(EBUSY))
    return Obstacle{reason,
                    "systemd-run --user --scope -p Delegate=yes sandbox run ..., or move the other "
                    "processes of that group into a group below it"};
  if (own.version == HierarchyVersion::kV2)
    return Obstacle{reason, "systemd-run --user --scope -p Delegate=yes sandbox run ..., or run it as root"};
  return Obstacle{reason, "run it as root, or on a host with cgroup v2"};
}

Result<std::vector<UniqueFd>> WorkloadGroup::open_join_files() const {
  std::vector<UniqueFd> files;
  for (const Made& made : made_) {
    UniqueFd file(::openat(made.parent.get(), (made.name + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return last_error();
    files.push_back(std::move(file));
  }
  return files;
}

std::optional<MemoryKill> WorkloadGroup::memory_kill() const {
  const GroupDirectory& group = groups_.of(Controller::kMemory);
  if (!group) return std::nullopt;
  const bool is_v1 = group.version == HierarchyVersion::kV1;
  auto kills = read_group_key(group, is_v1 ? "memory.oom_control" : "memory.events", "oom_kill");
  if (!kills || *kills == 0) return std::nullopt;
  MemoryKill kill{.count = *kills};
  if (auto peak = read_group_number(group, is_v1 ? "memory.max_usage_in_bytes" : "memory.peak"))
    kill.peak_bytes = *peak;
  // v1 counts failures of the sum of memory and swap on some kernels only; its peak then tells.
  auto is_near = [&](const char* peak_file, const char* limit_file) {
    uint64_t peak = read_group_number(group, peak_file).value_or(0);
    uint64_t limit = read_group_number(group, limit_file).value_or(kUnlimited);
    return peak >= limit - limit / 16;
  };
  bool is_own = is_v1 ? read_group_number(group, "memory.failcnt").value_or(0) > 0 ||
                            is_near("memory.memsw.max_usage_in_bytes", "memory.memsw.limit_in_bytes")
                      : read_group_key(group, "memory.events", "oom").value_or(0) > 0;
  auto limit = read_group_number(group, is_v1 ? "memory.limit_in_bytes" : "memory.max");
  if (is_own && limit && from_v1(*limit) != kUnlimited) kill.limit_bytes = *limit;
  return kill;
}

Result<void> WorkloadGroup::remove() {
  Result<void> result;
  long patience_ms = kPatience_ms;
  while (!made_.empty()) {
    auto removed = remove_directory(made_.back().parent.get(), made_.back().name, patience_ms);
    if (!removed) result = removed;
    made_.pop_back();
  }
  step_back();
  return result;
}

}  // namespace sandbox::cgroup
