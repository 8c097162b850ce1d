// cgroup.freeze of v2, freezer.state of v1.
#include "sentry/cgroup/freezer.h"

#include <time.h>
#include <unistd.h>

#include "sentry/cgroup/limit_files.h"

namespace sandbox::cgroup {

namespace {

constexpr const char* kAdvice = "look whether it is yours, and still runs";

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

bool has_v2_freezer(const CgroupDirectories& groups) {
  return groups.unified && ::faccessat(groups.unified.directory.get(), "cgroup.freeze", F_OK, 0) == 0;
}

bool has_v1_freezer(const CgroupDirectories& groups) {
  const GroupDirectory& freezer = groups.of(Controller::kFreezer);
  return freezer && freezer.version == HierarchyVersion::kV1;
}

Configured<void> need_freezer(const CgroupDirectories& groups, const char* doing, const std::string& name) {
  if (has_v2_freezer(groups) || has_v1_freezer(groups)) return {};
  return failure(fmt::format("{} {}", doing, name), "it has no control group of its own that could stop it",
                 "run it as root, or in a delegated subtree: systemd-run --user --scope -p Delegate=yes "
                 "sandbox run ...");
}

}  // namespace

Configured<void> freeze(const CgroupDirectories& groups, const std::string& name) {
  TRY(need_freezer(groups, "pause", name));
  const std::string doing = fmt::format("pause {}", name);
  const bool is_v2 = has_v2_freezer(groups);
  const GroupDirectory& group = is_v2 ? groups.unified : groups.of(Controller::kFreezer);
  const char* file = is_v2 ? "cgroup.freeze" : "freezer.state";
  auto written = write_group_file(group, file, is_v2 ? "1" : "FROZEN");
  if (!written) return failure(doing, written.error(), kAdvice);
  const bool has_stopped = wait_for([&] {
    if (is_v2) return read_group_key(group, "cgroup.events", "frozen").value_or(0) == 1;
    if (read_group_file(group, file).value_or("") == "FROZEN\n") return true;
    (void)write_group_file(group, file, "FROZEN");
    return false;
  });
  if (has_stopped) return {};
  (void)thaw(groups, name);
  return failure(doing, "a process is in a call that cannot be stopped (EBUSY)",
                 "again, when that call is over");
}

Configured<void> thaw(const CgroupDirectories& groups, const std::string& name) {
  TRY(need_freezer(groups, "resume", name));
  Result<void> written;
  if (has_v2_freezer(groups)) written = write_group_file(groups.unified, "cgroup.freeze", "0");
  // Somebody else may have used the other one.
  if (has_v1_freezer(groups))
    if (auto thawed = write_group_file(groups.of(Controller::kFreezer), "freezer.state", "THAWED"); !thawed)
      written = thawed;
  if (written) return {};
  return failure(fmt::format("resume {}", name), written.error(), kAdvice);
}

bool is_frozen(const CgroupDirectories& groups) {
  if (has_v2_freezer(groups) && read_group_number(groups.unified, "cgroup.freeze").value_or(0) == 1)
    return true;
  return has_v1_freezer(groups) &&
         read_group_file(groups.of(Controller::kFreezer), "freezer.state").value_or("THAWED\n") != "THAWED\n";
}

bool is_frozen_from_above(const CgroupDirectories& groups) {
  return has_v1_freezer(groups) &&
         read_group_number(groups.of(Controller::kFreezer), "freezer.parent_freezing").value_or(0) == 1;
}

}  // namespace sandbox::cgroup
