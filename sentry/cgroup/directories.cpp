// Discovery: /proc/PID/cgroup says which groups, mountinfo says where their hierarchies are mounted.
#include "sentry/cgroup/directories.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "platform/host_file.h"

namespace sandbox::cgroup {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

// mountinfo writes space, tab, newline and backslash as \ooo (proc(5)).
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    if (text[at] == '\\' && at + 3 < text.size() &&
        std::from_chars(text.data() + at + 1, text.data() + at + 4, code, 8).ptr == text.data() + at + 4) {
      plain += static_cast<char>(code);
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

struct Membership {
  std::vector<std::string_view> controllers;  // empty for v2
  std::string_view path;
};

// "4:memory:/box", "1:cpu,cpuacct:/", "0::/box".
std::vector<Membership> parse_memberships(std::string_view text) {
  std::vector<Membership> memberships;
  for (std::string_view line : split(text, '\n')) {
    size_t first = line.find(':');
    size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    Membership membership{split(line.substr(first + 1, second - first - 1), ','), line.substr(second + 1)};
    bool is_unified = line.starts_with("0::");
    if (membership.path.starts_with('/') && (is_unified || !membership.controllers.empty()))
      memberships.push_back(std::move(membership));
  }
  return memberships;
}

struct Mount {
  HierarchyVersion version;
  std::string root, point;
  std::vector<std::string_view> options;  // of the hierarchy: its controllers among them
};

// "36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory".
std::vector<Mount> parse_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  for (std::string_view line : split(text, '\n')) {
    size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    std::vector<std::string_view> place = split(line.substr(0, dash), ' ');
    std::vector<std::string_view> kind = split(line.substr(dash + 3), ' ');
    if (place.size() < 5 || kind.size() < 3) continue;
    if (kind[0] != "cgroup" && kind[0] != "cgroup2") continue;
    mounts.push_back({.version = kind[0] == "cgroup2" ? HierarchyVersion::kV2 : HierarchyVersion::kV1,
                      .root = unescaped(place[3]),
                      .point = unescaped(place[4]),
                      .options = split(kind.back(), ',')});
  }
  return mounts;
}

// The part of `path` below `root`: "" or "/a/b". Nothing when it lies elsewhere; a root of "/.." is above a
// cgroup namespace, and names on the way are unknown.
std::optional<std::string_view> below(std::string_view path, std::string_view root) {
  if (path == "/") path = "";
  if (root == "/") root = "";
  if (!path.starts_with(root) || path.contains("/..")) return std::nullopt;
  path.remove_prefix(root.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

class Discovery {
 public:
  explicit Discovery(const CgroupSources& sources)
      : sources_(sources),
        memberships_(parse_memberships(sources.membership)),
        mounts_(parse_mounts(sources.mounts)) {}
  CgroupDirectories run();

 private:
  GroupDirectory find(HierarchyVersion version, std::string_view controller);
  GroupDirectory charged_group(const GroupDirectory& group, Controller controller);
  GroupDirectory ancestor(const GroupDirectory& group, size_t steps);

  const CgroupSources& sources_;
  std::vector<Membership> memberships_;
  std::vector<Mount> mounts_;
};

// Of several mounts of a hierarchy the one that shows most of it.
GroupDirectory Discovery::find(HierarchyVersion version, std::string_view controller) {
  auto membership = std::ranges::find_if(memberships_, [&](const Membership& candidate) {
    return version == HierarchyVersion::kV2
               ? candidate.controllers.empty()
               : std::ranges::find(candidate.controllers, controller) != candidate.controllers.end();
  });
  GroupDirectory best;
  if (membership == memberships_.end()) return best;
  for (const Mount& mount : mounts_) {
    if (mount.version != version) continue;
    if (version == HierarchyVersion::kV1 &&
        std::ranges::find(mount.options, controller) == mount.options.end())
      continue;
    auto rest = below(membership->path, mount.root);
    if (!rest) continue;
    size_t ancestors = std::ranges::count(*rest, '/');
    if (best && ancestors <= best.ancestor_count) continue;
    std::string place = mount.point + std::string(*rest);
    UniqueFd directory = open_directory(sources_.prefix + place);
    if (!directory) continue;
    best = {.directory = std::move(directory),
            .version = version,
            .path = std::string(membership->path),
            .host_path = std::move(place),
            .ancestor_count = ancestors};
  }
  return best;
}

GroupDirectory Discovery::ancestor(const GroupDirectory& group, size_t steps) {
  GroupDirectory found{.version = group.version,
                       .path = group.path,
                       .host_path = group.host_path,
                       .ancestor_count = group.ancestor_count - steps};
  for (size_t step = 0; step < steps; ++step) {
    found.path.resize(found.path.rfind('/'));
    found.host_path.resize(found.host_path.rfind('/'));
  }
  if (found.path.empty()) found.path = "/";
  found.directory = open_directory(sources_.prefix + found.host_path);
  return found;
}

GroupDirectory Discovery::charged_group(const GroupDirectory& group, Controller controller) {
  if (!group) return {};
  if (controller == Controller::kCpuacct) return ancestor(group, 0);
  if (controller == Controller::kFreezer)
    return ::faccessat(group.directory.get(), "cgroup.freeze", F_OK, 0) == 0 ? ancestor(group, 0)
                                                                             : GroupDirectory{};
  for (size_t steps = 0; steps <= group.ancestor_count; ++steps) {
    GroupDirectory candidate = ancestor(group, steps);
    if (candidate && lists_controller(candidate.directory.get(), "cgroup.controllers", controller))
      return candidate;
  }
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
