// What of a group's directory is shown, and reading it.
#include "sentry/cgroup/host_cgroups.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "vfs/synthetic/host_file.h"

namespace sandbox::cgroup {

namespace {

// Who made the group directory decides what else lies in it; only the kernel's own files are shown.
constexpr std::array<std::string_view, 18> kPrefixes = {
    "blkio.", "cgroup.", "cpu.",  "cpuacct.", "cpuset.",   "devices.",    "freezer.", "hugetlb.", "io.",
    "irq.",   "memory.", "misc.", "net_cls.", "net_prio.", "perf_event.", "pids.",    "rdma.",    "dmem.",
};
constexpr std::array<std::string_view, 2> kNames = {"tasks", "notify_on_release"};
// Of the host's topmost group only: Linux hides them in a cgroup namespace, and so in a container.
constexpr std::array<std::string_view, 2> kTopmostOnly = {"release_agent", "cgroup.sane_behavior"};

bool is_shown(std::string_view name) {
  if (name.contains('/') || std::ranges::find(kTopmostOnly, name) != kTopmostOnly.end()) return false;
  if (std::ranges::find(kNames, name) != kNames.end()) return true;
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// memory.events, cgroup.events, pids.events.local: what cgroup_file_notify is called for.
bool tells_changes(HierarchyVersion version, std::string_view name) {
  return version == HierarchyVersion::kV2 && (name.ends_with(".events") || name.ends_with(".events.local"));
}

// "cpu,cpuacct" for /sys/fs/cgroup/cpu,cpuacct, "" for /sys/fs/cgroup; a mount elsewhere gets a usual name.
std::string directory_of(const HierarchyMount& mount, std::string_view controllers) {
  constexpr std::string_view kTop = "/sys/fs/cgroup", kNamed = "name=";
  if (mount.point == kTop) return "";
  std::string_view below_top = mount.point;
  if (below_top.starts_with(kTop)) {
    below_top.remove_prefix(kTop.size());
    if (below_top.starts_with('/') && below_top.rfind('/') == 0) return std::string(below_top.substr(1));
  }
  if (mount.version == HierarchyVersion::kV2) return "unified";
  if (controllers.starts_with(kNamed)) controllers.remove_prefix(kNamed.size());
  return std::string(controllers);
}

}  // namespace

HostCgroups::HostCgroups(const CgroupSources& sources)
    : prefix_(sources.prefix), mountinfo_(sources.mounts), mounts_(parse_hierarchy_mounts(mountinfo_)) {
  for (const Membership& membership : parse_memberships(sources.membership)) {
    CgroupHierarchy& hierarchy = hierarchies_.emplace_back();
    hierarchy.version = membership.version;
    hierarchy.number = membership.number;
    hierarchy.controllers = membership.controllers;
    for (const HierarchyMount& mount : mounts_)
      if (mount.is_of(membership)) hierarchy.directory = directory_of(mount, membership.controllers);
  }
  groups_.resize(hierarchies_.size());
  enter(sources.membership);
}

void HostCgroups::enter(std::string_view text) {
  if (text == entered_) return;
  entered_ = text;
  for (const Membership& membership : parse_memberships(text)) {
    auto place = std::ranges::find_if(hierarchies_, [&](const CgroupHierarchy& hierarchy) {
      return hierarchy.version == membership.version && hierarchy.controllers == membership.controllers;
    });
    if (place == hierarchies_.end()) continue;
    groups_[place - hierarchies_.begin()] = open_group(membership, mounts_, prefix_).directory;
  }
}

Result<CgroupFile> HostCgroups::file(size_t hierarchy, std::string_view name) {
  const UniqueFd& group = groups_[hierarchy];
  if (!group || !is_shown(name)) return err(ENOENT);
  struct stat status;
  std::string path(name);
  TRY(host_status(::fstatat(group.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW)));
  if (!S_ISREG(status.st_mode)) return err(ENOENT);
  bool is_told = tells_changes(hierarchies_[hierarchy].version, name);
  return CgroupFile{std::move(path), status.st_mode & 0777, is_told};
}

Result<UniqueFd> HostCgroups::open(size_t hierarchy, std::string_view name, int flags) {
  CgroupFile found = TRY(file(hierarchy, name));
  if (!(flags & O_PATH) && (!found.tells_changes || (flags & O_ACCMODE) != O_RDONLY)) return err(EACCES);
  constexpr int kPassed = O_PATH | O_NONBLOCK;
  return vfs::open_host_file(groups_[hierarchy].get(), found.name, O_RDONLY | (flags & kPassed));
}

Result<std::vector<CgroupFile>> HostCgroups::files(size_t hierarchy) {
  std::vector<CgroupFile> shown;
  if (!groups_[hierarchy]) return shown;
  for (const std::string& name : TRY(vfs::list_host_directory(groups_[hierarchy].get(), ".")))
    if (auto found = file(hierarchy, name)) shown.push_back(*std::move(found));
  return shown;
}

Result<std::string> HostCgroups::read(size_t hierarchy, std::string_view name) {
  if (!groups_[hierarchy] || !is_shown(name)) return err(ENOENT);
  return vfs::read_host_file(groups_[hierarchy].get(), std::string(name));
}

}  // namespace sandbox::cgroup
