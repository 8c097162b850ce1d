// Discovery: /proc/PID/cgroup says which groups, mountinfo says where their hierarchies are mounted.
#include "sentry/cgroup/directories.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "platform/host_file.h"
#include "sentry/cgroup/membership.h"

namespace sandbox::cgroup {

namespace {

class Discovery {
 public:
  explicit Discovery(const CgroupSources& sources)
      : sources_(sources),
        memberships_(parse_memberships(sources.membership)),
        mounts_(parse_hierarchy_mounts(sources.mounts)) {}
  CgroupDirectories run();

 private:
  GroupDirectory find(HierarchyVersion version, std::string_view controller);

  const CgroupSources& sources_;
  std::vector<Membership> memberships_;
  std::vector<HierarchyMount> mounts_;
};

GroupDirectory Discovery::find(HierarchyVersion version, std::string_view controller) {
  for (const Membership& membership : memberships_)
    if (membership.version == version && (version == HierarchyVersion::kV2 || membership.has(controller)))
      return open_group(membership, mounts_, sources_.prefix);
  return {};
}

CgroupDirectories Discovery::run() {
  CgroupDirectories found;
  found.unified = find(HierarchyVersion::kV2, {});
  for (Controller controller : kControllers) {
    GroupDirectory& group = found.of(controller);
    group = find(HierarchyVersion::kV1, name_of(controller, HierarchyVersion::kV1));
    if (group)
      found.version = HierarchyVersion::kV1;
    else
      group = charged_group(found.unified, controller);
  }
  return found;
}

}  // namespace

std::string_view name_of(Controller controller, HierarchyVersion version) {
  switch (controller) {
    case Controller::kMemory:
      return "memory";
    case Controller::kCpu:
      return "cpu";
    case Controller::kCpuacct:
      return "cpuacct";
    case Controller::kCpuset:
      return "cpuset";
    case Controller::kPids:
      return "pids";
    case Controller::kIo:
      return version == HierarchyVersion::kV1 ? "blkio" : "io";
    case Controller::kFreezer:
      return "freezer";
  }
  return "";
}

GroupDirectory ancestor_of(const GroupDirectory& group, size_t steps) {
  if (!group || steps > group.ancestor_count) return {};
  GroupDirectory found{.version = group.version,
                       .path = group.path,
                       .host_path = group.host_path,
                       .ancestor_count = group.ancestor_count - steps};
  std::string way = ".";
  for (size_t step = 0; step < steps; ++step) {
    found.path.resize(found.path.rfind('/'));
    found.host_path.resize(found.host_path.rfind('/'));
    way += "/..";
  }
  if (found.path.empty()) found.path += '/';
  found.directory = UniqueFd(::openat(group.directory.get(), way.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return found;
}

GroupDirectory charged_group(const GroupDirectory& group, Controller controller) {
  if (!group || controller == Controller::kCpuacct) return ancestor_of(group, 0);
  if (controller == Controller::kFreezer)
    return ::faccessat(group.directory.get(), "cgroup.freeze", F_OK, 0) == 0 ? ancestor_of(group, 0)
                                                                             : GroupDirectory{};
  for (size_t steps = 0; steps <= group.ancestor_count; ++steps) {
    GroupDirectory candidate = ancestor_of(group, steps);
    if (candidate && lists_controller(candidate.directory.get(), "cgroup.controllers", controller))
      return candidate;
  }
  return {};
}

Result<CgroupSources> own_cgroup_sources() {
  std::string membership = TRY(platform::read_host_file("/proc/self/cgroup"));
  std::string mounts = TRY(platform::read_host_file("/proc/self/mountinfo"));
  return CgroupSources{.prefix = "", .membership = std::move(membership), .mounts = std::move(mounts)};
}

CgroupDirectories discover_cgroups(const CgroupSources& sources) { return Discovery(sources).run(); }

bool lists_controller(int directory, const char* file, Controller controller) {
  UniqueFd list(::openat(directory, file, O_RDONLY | O_CLOEXEC));
  char text[256];
  ssize_t size = list ? ::read(list.get(), text, sizeof text) : -1;
  if (size <= 0) return false;
  for (std::string_view line : split(std::string_view(text, size), '\n'))
    for (std::string_view word : split(line, ' '))
      if (word == name_of(controller, HierarchyVersion::kV2)) return true;
  return false;
}

}  // namespace sandbox::cgroup
