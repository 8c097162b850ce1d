// Registration: what a run with a name or with limits has besides its processes: a record and control groups.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sentry/cgroup/workload_group.h"
#include "sentry/failure.h"
#include "sentry/lifecycle/state_directory.h"
#include "sentry/sandbox_config.h"

namespace sandbox::lifecycle {

class Registration {
 public:
  // Nothing when the run needs none: it then creates nothing and looks at nothing. Cleans up after killed
  // sandboxes first. Call it as the caller, before the sentry has namespaces of its own. Adds to `warnings`
  // what is missing but may be.
  static Configured<std::unique_ptr<Registration>> create(const SandboxConfig& config,
                                                          std::vector<std::string>& warnings);
  // The groups go, then the record. Only after the workload's end.
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  // The groups that hold the workload: its own, and where it has none of its own, the caller's.
  cgroup::CgroupDirectories charged_groups() const { return group_->charged_groups(); }
  // Limits that are to be shown, but that nobody enforces.
  const cgroup::Limits& unenforced() const { return unenforced_; }
  std::vector<int> join_files() const;
  std::optional<cgroup::MemoryKill> memory_kill() const { return group_->memory_kill(); }

  // By which others may find it; nothing when there could be no record.
  std::optional<std::string> recorded_name() const;
  // The sentry may be asked for a trace, by this signal; 0: it may not after all.
  void note_traceable(int signal);
  // The workload's first processes, by their host pids.
  void note_started(pid_t init, pid_t program);

 private:
  Registration() = default;
  Configured<void> take_record(const SandboxConfig& config, std::vector<std::string>& warnings);
  Configured<void> make_groups(const SandboxConfig& config, std::vector<std::string>& warnings);
  void note(std::string_view line);

  std::optional<Claim> claim_;
  std::string group_name_;
  std::unique_ptr<cgroup::WorkloadGroup> group_;
  std::vector<UniqueFd> join_files_;
  cgroup::Limits unenforced_;
};

}  // namespace sandbox::lifecycle
