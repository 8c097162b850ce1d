// HostCgroups: the CgroupView of the groups that the sandbox's processes are in on the host.
#pragma once

#include "sandbox/cgroup_view.h"
#include "sentry/cgroup/membership.h"

namespace sandbox::cgroup {

// Set-up: constructed before the file systems are made, enter() once the first process is in its groups and
// has not run yet. Then it never changes.
class HostCgroups final : public CgroupView {
 public:
  // Of the process that `sources` describe.
  explicit HostCgroups(const CgroupSources& sources);
  // Shows the groups of `membership` (/proc/PID/cgroup) from now on. A group that no mount shows has no
  // files.
  void enter(std::string_view membership);

  const std::vector<CgroupHierarchy>& hierarchies() override { return hierarchies_; }
  Result<std::vector<CgroupFile>> files(size_t hierarchy) override;
  Result<CgroupFile> file(size_t hierarchy, std::string_view name) override;
  Result<std::string> read(size_t hierarchy, std::string_view name) override;
  Result<UniqueFd> open(size_t hierarchy, std::string_view name, int flags) override;

 private:
  const std::string prefix_;
  const std::string mountinfo_;
  const std::vector<HierarchyMount> mounts_;  // points into mountinfo_
  std::string entered_;                       // membership that groups_ are of
  std::vector<CgroupHierarchy> hierarchies_;
  std::vector<UniqueFd> groups_;  // O_PATH, by hierarchy; closed where no mount shows the group
};

}  // namespace sandbox::cgroup
