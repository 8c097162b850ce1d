// Finding a running sandbox, stopping it and letting it go on.
#include "sentry/lifecycle/running_sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "platform/host_file.h"
#include "sentry/cgroup/freezer.h"
#include "sentry/cgroup/limit_files.h"

namespace sandbox::lifecycle {

namespace {

using cgroup::GroupDirectory;

std::unexpected<RunFailure> not_found(const std::string& name, std::string reason) {
  return failure(fmt::format("find the sandbox {}", name), std::move(reason),
                 "`sandbox ps` lists those that run and have a name or limits");
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

Configured<void> RunningSandbox::pause() const { return cgroup::freeze(groups_, record_.name); }
Configured<void> RunningSandbox::resume() const { return cgroup::thaw(groups_, record_.name); }
bool RunningSandbox::is_paused() const { return cgroup::is_frozen(groups_); }

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
