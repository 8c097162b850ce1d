// Making, filling and removing a container's control groups.
#include "sentry/oci/container_groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ranges>

#include "platform/host_file.h"
#include "sandbox/numbers.h"
#include "sentry/cgroup/membership.h"
#include "sentry/cgroup/numbers.h"

namespace sandbox::oci {

namespace {

using cgroup::HierarchyVersion;
using cgroup::split;

// "user-1000.slice" lies in "user.slice".
std::string slice_path(std::string_view slice) {
  if (slice == "-.slice") return {};
  constexpr std::string_view kSuffix = ".slice";
  if (slice.ends_with(kSuffix)) slice.remove_suffix(kSuffix.size());
  std::string path;
  for (size_t dash = 0; dash != slice.npos;) {
    dash = slice.find('-', dash + 1);
    path += fmt::format("/{}.slice", slice.substr(0, dash));
  }
  return path;
}

// A v1 cpuset without CPUs and memory nodes admits nobody.
void inherit_cpuset(const std::string& parent, const std::string& child) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    auto own = platform::read_host_file(fmt::format("{}/{}", child, file));
    if (!own || own->find_first_not_of(" \n") != own->npos) continue;
    auto text = platform::read_host_file(fmt::format("{}/{}", parent, file));
    if (text) (void)platform::write_host_file(fmt::format("{}/{}", child, file), *text);
  }
}

// What is available in a v2 group becomes available to its children; a controller that cannot be had is
// missed by who needs it.
void hand_controllers_down(const std::string& group) {
  auto available = platform::read_host_file(group + "/cgroup.controllers");
  if (!available) return;
  for (std::string_view word : split(*available, ' ')) {
    std::string name(word.substr(0, word.find('\n')));
    if (!name.empty())
      (void)platform::write_host_file(group + "/cgroup.subtree_control", fmt::format("+{}", name));
  }
}

// Every group on the way to `path`; `made` gets those that were not there. Errors: those of mkdir.
Result<void> make_groups_once(const std::string& top, const std::string& path, HierarchyVersion version,
                              std::vector<std::string>& made) {
  std::string at = top;
  for (std::string_view name : split(path, '/')) {
    if (version == HierarchyVersion::kV2) hand_controllers_down(at);
    std::string below = fmt::format("{}/{}", at, name);
    if (::mkdir(below.c_str(), 0755) == 0)
      made.push_back(below);
    else if (errno != EEXIST)
      return last_error();
    if (version == HierarchyVersion::kV1) inherit_cpuset(at, below);
    at = std::move(below);
  }
  return {};
}

// The last container that needed a group above may be taking it away at this moment.
Result<void> make_groups(const std::string& top, const std::string& path, HierarchyVersion version,
                         std::vector<std::string>& made) {
  constexpr int kTries = 20;
  for (int tried = 1;; ++tried) {
    auto done = make_groups_once(top, path, version, made);
    if (done || done.error() != Errno(ENOENT) || tried == kTries) return done;
  }
}

std::vector<pid_t> members_of(const std::string& group) {
  std::vector<pid_t> pids;
  auto text = platform::read_host_file(group + "/cgroup.procs");
  if (!text) return pids;
  for (std::string_view line : split(*text, '\n'))
    if (auto pid = parse_number<pid_t>(line)) pids.push_back(*pid);
  return pids;
}

std::vector<std::string> groups_below(const std::string& group) {
  std::vector<std::string> found;
  DIR* listing = ::opendir(group.c_str());
  if (listing == nullptr) return found;
  while (const dirent* entry = ::readdir(listing))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      found.push_back(fmt::format("{}/{}", group, entry->d_name));
  ::closedir(listing);
  return found;
}

bool is_control_group(const std::string& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 &&
         (status.f_type == CGROUP_SUPER_MAGIC || status.f_type == CGROUP2_SUPER_MAGIC);
}

// A frozen process does not die before it thaws (v1).
void end_processes(const std::string& group) {
  (void)platform::write_host_file(group + "/freezer.state", "THAWED");
  (void)platform::write_host_file(group + "/cgroup.freeze", "0");
  for (pid_t pid : members_of(group))
    if (pid > 1 && pid != ::getpid()) ::kill(pid, SIGKILL);
}

Result<void> remove_group(const std::string& group) {
  constexpr int kTries = 300;
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 10'000'000};
  for (const std::string& below : groups_below(group)) TRY(remove_group(below));
  for (int tried = 0;; ++tried) {
    if (::rmdir(group.c_str()) == 0 || errno == ENOENT) return {};
    Errno error = Errno::last();
    if (error != Errno(EBUSY) || tried == kTries) return std::unexpected(error);
    end_processes(group);
    ::nanosleep(&kNap, nullptr);
  }
}

}  // namespace

Configured<std::string> group_path(const std::string& cgroups_path, const std::string& id) {
  std::string path = cgroups_path;
  const size_t first = path.find(':'), second = first == path.npos ? path.npos : path.find(':', first + 1);
  if (path.empty()) path = "/" + id;
  if (second != path.npos && !path.starts_with('/')) {
    std::string slice = path.substr(0, first), prefix = path.substr(first + 1, second - first - 1),
                name = path.substr(second + 1);
    if (slice.empty()) slice = "system.slice";
    std::string unit = name.ends_with(".slice") ? name : fmt::format("{}-{}.scope", prefix, name);
    if (prefix.empty() && !name.ends_with(".slice")) unit = name + ".scope";
    path = slice_path(slice) + "/" + unit;
  }
  std::string clean;
  for (std::string_view part : split(path, '/')) {
    if (part == "..")
      return failure(fmt::format("use linux.cgroupsPath {}", cgroups_path), "it leads out by `..`",
                     "a path without it");
    if (part != ".") clean += fmt::format("/{}", part);
  }
  if (clean.empty())
    return failure(fmt::format("use linux.cgroupsPath {}", cgroups_path), "it is the top of every hierarchy",
                   "a group of the container's own");
  return clean;
}

Configured<ContainerGroups> ContainerGroups::open(const std::string& path, Make make) {
  ContainerGroups opened;
  auto sources = cgroup::own_cgroup_sources();
  if (!sources) return failure("find the control groups", sources.error(), "mount /proc on the host");
  const auto mounts = cgroup::parse_hierarchy_mounts(sources->mounts);
  for (const cgroup::Membership& own : cgroup::parse_memberships(sources->membership)) {
    std::string member_path(own.path);
    auto mount = std::ranges::find_if(mounts, [&](const auto& one) { return one.is_of(own); });
    const bool is_there =
        mount != mounts.end() &&
        (make == Make::kYes ? make_groups(mount->point, path, own.version, opened.made_).has_value()
                            : is_control_group(mount->point + path));
    if (is_there) {
      Group group{.version = own.version, .controllers = {}, .host_path = mount->point + path};
      for (std::string_view word : split(own.controllers, ',')) group.controllers.emplace_back(word);
      opened.groups_.push_back(std::move(group));
      member_path = (mount->root == "/" ? "" : mount->root) + path;
    }
    opened.membership_ += fmt::format("{}:{}:{}\n", own.number, own.controllers, member_path);
  }
  return opened;
}

Configured<ContainerGroups> ContainerGroups::create(const std::string& path) {
  return open(path, Make::kYes);
}

ContainerGroups ContainerGroups::at(const std::string& path) {
  if (path.empty()) return {};
  return open(path, Make::kNo).value_or(ContainerGroups());
}

cgroup::CgroupDirectories ContainerGroups::directories() const {
  auto sources = cgroup::own_cgroup_sources();
  if (!sources || groups_.empty()) return {};
  sources->membership = membership_;
  auto found = cgroup::discover_cgroups(*sources);
  auto drop_shared = [&](cgroup::GroupDirectory& group) {
    if (std::ranges::find(groups_, group.host_path, &Group::host_path) == groups_.end()) group = {};
  };
  for (cgroup::GroupDirectory& group : found.controllers) drop_shared(group);
  drop_shared(found.unified);
  return found;
}

const ContainerGroups::Group* ContainerGroups::group_of(const std::string& controller) const {
  for (const Group& group : groups_) {
    if (group.version == HierarchyVersion::kV1 && std::ranges::count(group.controllers, controller) > 0)
      return &group;
  }
  const std::string v2_name = controller == "blkio" ? "io" : controller;
  for (const Group& group : groups_) {
    if (group.version != HierarchyVersion::kV2) continue;
    auto text = platform::read_host_file(group.host_path + "/cgroup.controllers");
    if (!text || controller.empty()) continue;
    for (std::string_view word : split(*text, ' '))
      if (word.substr(0, word.find('\n')) == v2_name) return &group;
  }
  return nullptr;
}

Configured<void> ContainerGroups::apply(const std::vector<GroupSetting>& settings) const {
  auto try_one = [&](const GroupSetting& setting) -> Configured<void> {
    const Group* group = group_of(setting.controller);
    const bool is_v1 = group != nullptr && group->version == HierarchyVersion::kV1;
    const std::string& file = is_v1 ? setting.v1_file : setting.v2_file;
    const std::string& text = is_v1 ? setting.v1_text : setting.v2_text;
    const std::string doing = fmt::format("set {}", setting.name);
    if (group == nullptr) {
      if (setting.missing == GroupSetting::Missing::kSkip) return {};
      return failure(doing, fmt::format("there is no control group with {}", setting.controller),
                     "run it where control groups may be made, or leave the limit out");
    }
    if (file.empty()) {
      if (setting.missing == GroupSetting::Missing::kSkip) return {};
      return failure(doing, fmt::format("control groups v{} have no such limit", is_v1 ? 1 : 2),
                     "leave it out");
    }
    auto written = platform::write_host_file(fmt::format("{}/{}", group->host_path, file), text);
    if (written) return {};
    if (written.error() == Errno(ENOENT) && setting.missing == GroupSetting::Missing::kSkip) return {};
    return failure(
        doing, fmt::format("{}/{} := {}: {}", group->host_path, file, text, reason_in_words(written.error())),
        "a value that the kernel takes");
  };
  std::vector<const GroupSetting*> again;
  for (const GroupSetting& setting : settings)
    if (!try_one(setting)) again.push_back(&setting);
  for (const GroupSetting* setting : again) TRY(try_one(*setting));
  return {};
}

Configured<std::vector<UniqueFd>> ContainerGroups::open_join_files() const {
  std::vector<UniqueFd> files;
  for (const Group& group : groups_) {
    UniqueFd file(::open((group.host_path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!file)
      return failure(fmt::format("join the control group {}", group.host_path), Errno::last(),
                     "run it as who owns the group");
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<pid_t> ContainerGroups::processes() const {
  std::vector<pid_t> pids;
  for (const Group& group : groups_) {
    std::vector<std::string> paths{group.host_path};
    for (size_t next = 0; next < paths.size(); ++next) {
      std::ranges::copy(members_of(paths[next]), std::back_inserter(pids));
      std::ranges::copy(groups_below(paths[next]), std::back_inserter(paths));
    }
  }
  std::ranges::sort(pids);
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

void remove_empty_groups(const std::vector<std::string>& made) {
  for (const std::string& path : made | std::views::reverse) ::rmdir(path.c_str());
}

Result<void> ContainerGroups::remove() const {
  Result<void> result;
  for (const Group& group : groups_) {
    auto removed = remove_group(group.host_path);
    if (!removed) result = removed;
  }
  return result;
}

}  // namespace sandbox::oci
