// WorkloadGroup: the control groups made for one sandbox, with its limits in them; they end with it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sentry/cgroup/directories.h"
#include "sentry/cgroup/limit_files.h"
#include "sentry/cgroup/limits.h"
#include "sentry/cgroup/memory_kill.h"

namespace sandbox::cgroup {

class WorkloadGroup {
 public:
  // Called with the host path of each group just before it is made.
  using Note = std::function<void(const std::string& host_path)>;

  // Makes groups called `name` below the caller's: one in each v1 hierarchy, one in the v2 tree. Where the
  // caller's v2 group may not have children with controllers, because processes are in it, the nearest
  // ancestor takes its place, as long as that loosens no limit; a caller that is alone in its group moves
  // into a leaf of it. What cannot be made is left out: write_limits finds out whether it is missed. `wanted`
  // must be had where possible; other controllers are nice to have (usage, freezing).
  WorkloadGroup(CgroupDirectories own, std::string name, const std::vector<Controller>& wanted, Note note);
  ~WorkloadGroup() { remove(); }
  WorkloadGroup(const WorkloadGroup&) = delete;
  WorkloadGroup& operator=(const WorkloadGroup&) = delete;

  // The groups that hold the workload; closed where there is no group of the sandbox's own.
  const CgroupDirectories& directories() const { return groups_; }
  // The same, with the caller's groups in their place.
  CgroupDirectories charged_groups() const;
  // Why there is no group for `controller`, and what to try.
  struct Obstacle {
    std::string reason, advice;
  };
  std::optional<Obstacle> obstacle(Controller controller) const;

  // Descriptors of each group's cgroup.procs, opened for writing by the caller's own credentials.
  Result<std::vector<UniqueFd>> open_join_files() const;

  std::optional<MemoryKill> memory_kill() const;

  // Waits until the last processes have left, for up to two seconds. Errors: EBUSY: some have not.
  Result<void> remove();

 private:
  struct Made {
    UniqueFd parent;
    std::string name;
  };
  Result<GroupDirectory> make_below(const GroupDirectory& parent, const std::string& name);
  void make_v1(const GroupDirectory& own, Controller controller);
  void make_v2(const std::vector<Controller>& wanted);
  Result<void> make_v2_at(const GroupDirectory& parent, const std::vector<Controller>& wanted);
  Result<void> step_aside(const GroupDirectory& own);
  void step_back();

  CgroupDirectories own_, groups_;
  std::string name_;
  Note note_;
  std::vector<Made> made_;
  std::optional<Made> leaf_;  // where the caller moved to
  std::array<std::optional<Errno>, kControllers.size()> errors_;
};

}  // namespace sandbox::cgroup
