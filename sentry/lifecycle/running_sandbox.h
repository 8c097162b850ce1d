// RunningSandbox: a live sandbox as other commands see it: its record, its control groups, its processes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sentry/cgroup/directories.h"
#include "sentry/failure.h"
#include "sentry/lifecycle/state_directory.h"

namespace sandbox::lifecycle {

// The sentry has no part in any of this: everything is said to the kernel, in the files of the groups, and
// what the workload is shown is read from there.
class RunningSandbox {
 public:
  // Errors, in words: no sandbox has the name; it was killed; it is just starting.
  static Configured<RunningSandbox> find(const StateDirectory& state, const std::string& name);

  const SandboxRecord& record() const { return record_; }
  // Groups of its own only: what is closed belongs to others as well and must not be touched.
  const cgroup::CgroupDirectories& groups() const { return groups_; }

  // Every process stops where it is, within ten seconds or not at all.
  Configured<void> pause() const;
  Configured<void> resume() const;
  bool is_paused() const;

  // Host pids, ascending; the built-in init is the first.
  std::vector<pid_t> processes() const;

 private:
  SandboxRecord record_;
  cgroup::CgroupDirectories groups_;
};

}  // namespace sandbox::lifecycle
