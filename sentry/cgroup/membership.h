// Membership: the texts of /proc/PID/cgroup and mountinfo, taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/cgroup/directories.h"

namespace sandbox::cgroup {

// The non-empty parts of `text` between separators.
std::vector<std::string_view> split(std::string_view text, char separator);

// A line of /proc/PID/cgroup: "4:memory:/box", "1:cpu,cpuacct:/", "0::/box". It points into that text.
struct Membership {
  HierarchyVersion version = HierarchyVersion::kV2;
  int number = 0;
  std::string_view controllers;  // "cpu,cpuacct", "name=systemd"; empty for v2
  std::string_view path;

  bool has(std::string_view controller) const;
};
// A line that cannot be understood is skipped.
std::vector<Membership> parse_memberships(std::string_view text);

// A line of mountinfo: "36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory".
struct HierarchyMount {
  HierarchyVersion version = HierarchyVersion::kV2;
  std::string root, point;
  std::vector<std::string_view> options;  // of the hierarchy: its controllers among them

  bool is_of(const Membership& membership) const;
  // Where the group is below the mount point: "" or "/a/b". Nothing when the mount does not show it; a root
  // of
  // "/.." is above a cgroup namespace, and names on the way are unknown.
  std::optional<std::string_view> path_below(std::string_view group_path) const;
};
std::vector<HierarchyMount> parse_hierarchy_mounts(std::string_view mountinfo);

// The group's directory; of several mounts of its hierarchy through the one that shows most of it.
GroupDirectory open_group(const Membership& membership, const std::vector<HierarchyMount>& mounts,
                          const std::string& prefix);

}  // namespace sandbox::cgroup
