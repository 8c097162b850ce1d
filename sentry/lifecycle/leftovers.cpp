// Ending what a dead sentry's groups still hold, and removing them.
#include "sentry/lifecycle/leftovers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <csignal>

#include "sentry/cgroup/limit_files.h"
#include "sentry/failure.h"

namespace sandbox::lifecycle {

namespace {

using cgroup::GroupDirectory;
using cgroup::HierarchyVersion;

// Not a group, or not one that the record's sandbox can have made: closed.
GroupDirectory open_group(const std::string& path, const std::string& name) {
  GroupDirectory group;
  const bool has_name = path == name || path.ends_with("/" + name) || path.ends_with("/" + name + "-sentry");
  if (!has_name || !path.starts_with('/')) return group;
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct statfs status{};
  if (!directory || ::fstatfs(directory.get(), &status) < 0) return group;
  if (status.f_type != CGROUP_SUPER_MAGIC && status.f_type != CGROUP2_SUPER_MAGIC) return group;
  group.version = status.f_type == CGROUP2_SUPER_MAGIC ? HierarchyVersion::kV2 : HierarchyVersion::kV1;
  group.directory = std::move(directory);
  group.host_path = path;
  return group;
}

// A frozen process does not die before it thaws (v1). Where cgroup.kill is missing, a process may fork
// between the list and the signal, so the caller repeats this until the group is empty.
void end_processes(const GroupDirectory& group) {
  (void)cgroup::write_group_file(group, "freezer.state", "THAWED");
  if (cgroup::write_group_file(group, "cgroup.kill", "1")) return;
  (void)cgroup::write_group_file(group, "cgroup.freeze", "0");
  auto list = cgroup::read_group_file(group, "cgroup.procs");
  if (!list) return;
  const char* end = list->data() + list->size();
  for (const char* at = list->data(); at < end;) {
    pid_t pid = 0;
    at = std::from_chars(at, end, pid).ptr + 1;
    if (pid > 1 && pid != ::getpid()) ::kill(pid, SIGKILL);
  }
}

Result<void> remove_group(const GroupDirectory& group) {
  constexpr int kTries = 200;
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 10'000'000};
  for (int tried = 0;; ++tried) {
    if (::rmdir(group.host_path.c_str()) == 0 || errno == ENOENT) return {};
    Errno error = Errno::last();
    if (error != Errno(EBUSY) || tried == kTries) return std::unexpected(error);
    end_processes(group);
    ::nanosleep(&kNap, nullptr);
  }
}

}  // namespace

Cleaned clean_after(Claim& claim) {
  Cleaned cleaned{.name = claim.name()};
  auto text = claim.text();
  if (!text) {
    cleaned.problems.push_back(reason_in_words(text.error()));
    return cleaned;
  }
  SandboxRecord record = SandboxRecord::parse(*text);
  // All are thawed and told to end before the first one is waited for.
  std::vector<GroupDirectory> groups;
  for (const std::string& path : record.groups)
    if (GroupDirectory group = open_group(path, record.group_name())) groups.push_back(std::move(group));
  for (const GroupDirectory& group : groups) end_processes(group);
  for (const GroupDirectory& group : groups) {
    if (auto removed = remove_group(group))
      cleaned.groups.push_back(group.host_path);
    else
      cleaned.problems.push_back(fmt::format("{}: {}", group.host_path, reason_in_words(removed.error())));
  }
  return cleaned;
}

std::vector<Cleaned> clean_leftovers(const StateDirectory& state) {
  std::vector<Cleaned> all;
  for (const std::string& name : state.names()) {
    auto claim = state.claim(name, StateDirectory::Missing::kFail);
    if (!claim) continue;
    all.push_back(clean_after(*claim));
    all.back().problems.empty() ? claim->release() : claim->abandon();
  }
  return all;
}

}  // namespace sandbox::lifecycle
