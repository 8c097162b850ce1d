// ContainerGroups: the control groups of a container, at the path that its engine chose, in every hierarchy.
#pragma once

#include <string>
#include <vector>

#include "sentry/cgroup/directories.h"
#include "sentry/failure.h"

namespace sandbox::oci {

// One value of linux.resources: the file and text for either version of control groups. An empty file: that
// version has no such thing.
struct GroupSetting {
  std::string name;  // "linux.resources.memory.limit"
  std::string controller;
  std::string v1_file, v1_text;
  std::string v2_file, v2_text;
  enum class Missing { kFail, kSkip } missing = Missing::kFail;  // the host's kernel was built without it
};

// Turns linux.cgroupsPath into a path from the top of a hierarchy: "/a/b" stays, "slice:prefix:name" becomes
// what systemd makes of it, "" is named after the container. Failures: it leads out by "..".
Configured<std::string> group_path(const std::string& cgroups_path, const std::string& id);

class ContainerGroups {
 public:
  // Makes the group in every hierarchy that is mounted and may be written to. None at all is no failure.
  static Configured<ContainerGroups> create(const std::string& path);
  // Those that are there, of a container that was made before.
  static ContainerGroups at(const std::string& path);

  // In order; what fails is tried once more at the end, as one limit may have to follow another.
  // Failures name the setting.
  Configured<void> apply(const std::vector<GroupSetting>& settings) const;
  bool is_empty() const { return groups_.empty(); }
  // The groups that create() made, those above included; absolute, parents first.
  const std::vector<std::string>& made() const { return made_; }
  // What /proc/PID/cgroup says of their members.
  const std::string& membership() const { return membership_; }
  // cgroup.procs of each group, open for writing. Failures: EACCES and its like.
  Configured<std::vector<UniqueFd>> open_join_files() const;
  // The same for freezing and for reading its use; what it has no group for is closed.
  cgroup::CgroupDirectories directories() const;
  // Host pids in any of them, ascending.
  std::vector<pid_t> processes() const;
  // Kills what is in them, and removes them with what was made below. Errors: EBUSY.
  Result<void> remove() const;

 private:
  struct Group {
    cgroup::HierarchyVersion version;
    std::vector<std::string> controllers;  // of v1; v2 lists them in cgroup.controllers
    std::string host_path;
  };
  enum class Make { kYes, kNo };
  static Configured<ContainerGroups> open(const std::string& path, Make make);
  const Group* group_of(const std::string& controller) const;

  std::vector<Group> groups_;
  std::vector<std::string> made_;
  std::string membership_;
};

// Those of ContainerGroups::made that nobody needs any more, once the container's own are gone.
void remove_empty_groups(const std::vector<std::string>& made);

}  // namespace sandbox::oci
