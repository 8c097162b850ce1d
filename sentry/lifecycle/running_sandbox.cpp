// Finding a running sandbox, stopping it and letting it go on.
#include "sentry/lifecycle/running_sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "platform/host_file.h"
#include "sentry/cgroup/limit_files.h"

namespace sandbox::lifecycle {

namespace {

using cgroup::Controller;
using cgroup::GroupDirectory;

std::unexpected<RunFailure> not_found(const std::string& name, std::string reason) {
  return failure(fmt::format("find the sandbox {}", name), std::move(reason),
                 "`sandbox ps` lists those that run and have a name or limits");
}

// Until `is_done`, for up to ten seconds.
template <typename Condition>
bool wait_for(Condition is_done) {
  constexpr int kNaps = 1000;
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 10'000'000};
  for (int nap = 0; nap < kNaps; ++nap) {
    if (is_done()) return true;
    ::nanosleep(&kNap, nullptr);
  }
  return false;
}

void append_numbers(std::string_view text, std::vector<pid_t>& numbers) {
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++at) {
    pid_t number = 0;
    auto [after, error] = std::from_chars(at, end, number);
    if (error == std::errc{} && number > 0) numbers.push_back(number);
    at = std::max(at, after);
  }
}

}  // namespace

Configured<RunningSandbox> RunningSandbox::find(const StateDirectory& state, const std::string& name) {
  const bool is_nameless = name.starts_with('@') && is_valid_name(name.substr(1));
  if (!is_valid_name(name) && !is_nameless) return not_found(name, "that is no name of a sandbox");
  auto record = state.read(name);
  if (!record && record.error() == Errno(ESRCH))
    return failure(fmt::format("find the sandbox {}", name),
                   "it was killed, and its control groups may be left", "sandbox gc");
  if (!record)
    return not_found(name, record.error() == Errno(ENOENT) ? "no running sandbox has that name (ENOENT)"
                                                           : reason_in_words(record.error()));
  if (record->init == 0) return not_found(name, "it is just starting (EAGAIN)");

  RunningSandbox found;
  found.record_ = *std::move(record);
  auto membership = platform::read_host_file(fmt::format("/proc/{}/cgroup", found.record_.init));
  auto sources = cgroup::own_cgroup_sources();
  if (!membership || !sources) return not_found(name, "it is just ending (ESRCH)");
  sources->membership = *std::move(membership);
  found.groups_ = discover_cgroups(*sources);
  auto drop_shared = [&](GroupDirectory& group) {
    if (std::ranges::find(found.record_.groups, group.host_path) == found.record_.groups.end()) group = {};
  };
  for (GroupDirectory& group : found.groups_.controllers) drop_shared(group);
  drop_shared(found.groups_.unified);
  return found;
}

bool RunningSandbox::has_v2_freezer() const {
  return groups_.unified && ::faccessat(groups_.unified.directory.get(), "cgroup.freeze", F_OK, 0) == 0;
}

Configured<void> RunningSandbox::need_freezer(const char* doing) const {
  if (has_v2_freezer() || groups_.of(Controller::kFreezer)) return {};
  return failure(fmt::format("{} {}", doing, record_.name),
                 "it has no control group of its own that could stop it",
                 "run it as root, or in a delegated subtree: systemd-run --user --scope -p Delegate=yes "
                 "sandbox run ...");
}

Configured<void> RunningSandbox::pause() const {
  if (auto done = need_freezer("pause"); !done) return done;
  const std::string doing = fmt::format("pause {}", record_.name);
  const bool is_v2 = has_v2_freezer();
  const GroupDirectory& group = is_v2 ? groups_.unified : groups_.of(Controller::kFreezer);
  const char* file = is_v2 ? "cgroup.freeze" : "freezer.state";
  auto written = write_group_file(group, file, is_v2 ? "1" : "FROZEN");
  if (!written) return failure(doing, written.error(), "look whether it is yours, and still runs");
  bool is_frozen = wait_for([&] {
    if (is_v2) return read_group_key(group, "cgroup.events", "frozen").value_or(0) == 1;
    if (read_group_file(group, file).value_or("") == "FROZEN\n") return true;
    (void)write_group_file(group, file, "FROZEN");
    return false;
  });
  if (is_frozen) return {};
  (void)resume();
  return failure(doing, "a process is in a call that cannot be stopped (EBUSY)",
                 "again, when that call is over");
}

Configured<void> RunningSandbox::resume() const {
  if (auto done = need_freezer("resume"); !done) return done;
  Result<void> written;
  if (has_v2_freezer()) written = write_group_file(groups_.unified, "cgroup.freeze", "0");
  // Somebody else may have used the other one.
  if (groups_.of(Controller::kFreezer).version == cgroup::HierarchyVersion::kV1 &&
      groups_.of(Controller::kFreezer))
    if (auto thawed = write_group_file(groups_.of(Controller::kFreezer), "freezer.state", "THAWED"); !thawed)
      written = thawed;
  if (written) return {};
  return failure(fmt::format("resume {}", record_.name), written.error(),
                 "look whether it is yours, and still runs");
}

bool RunningSandbox::is_paused() const {
  if (has_v2_freezer() && read_group_number(groups_.unified, "cgroup.freeze").value_or(0) == 1) return true;
  const GroupDirectory& freezer = groups_.of(Controller::kFreezer);
  return freezer && freezer.version == cgroup::HierarchyVersion::kV1 &&
         read_group_file(freezer, "freezer.state").value_or("THAWED\n") != "THAWED\n";
}

std::vector<pid_t> RunningSandbox::processes() const {
  std::vector<pid_t> pids;
  const GroupDirectory* group = groups_.unified ? &groups_.unified : nullptr;
  for (const GroupDirectory& candidate : groups_.controllers)
    if (group == nullptr && candidate) group = &candidate;
  if (group != nullptr) {
    if (auto list = read_group_file(*group, "cgroup.procs")) append_numbers(*list, pids);
  } else {
    pids.push_back(record_.init);
    // An orphan becomes a child of process 1 inside, so the tree below that is everything.
    for (size_t next = 0; next < pids.size(); ++next)
      if (auto children = platform::read_host_file(fmt::format("/proc/{0}/task/{0}/children", pids[next])))
        append_numbers(*children, pids);
  }
  std::ranges::sort(pids);
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

}  // namespace sandbox::lifecycle
