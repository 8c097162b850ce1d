// The files of one group, read from the host whenever somebody reads them.
#include "vfs/cgroupfs/cgroupfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "vfs/synthetic/native_file.h"
#include "vfs/synthetic/nodes.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

using Version = CgroupHierarchy::Version;

class Cgroupfs final : public SyntheticFilesystem {
 public:
  Cgroupfs(KernelView& kernel, CgroupView& cgroups, size_t hierarchy, const CgroupHierarchy& facts)
      : SyntheticFilesystem(facts.version == Version::kV2 ? "cgroup2" : "cgroup", CachePolicy::kRevalidate,
                            facts.version == Version::kV2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC,
                            facts.version == Version::kV2 ? "cgroup2" : "cgroup",
                            facts.controllers.empty() ? "rw" : "rw," + facts.controllers),
        kernel_(kernel),
        cgroups_(cgroups),
        hierarchy_(hierarchy) {}

  Result<std::vector<CgroupFile>> files() { return cgroups_.files(hierarchy_); }
  Result<CgroupFile> file(std::string_view name) { return cgroups_.file(hierarchy_, name); }
  Result<std::string> text(const std::string& name);
  Result<UniqueFd> open(const std::string& name, int flags);
  std::optional<std::string> path_of_descriptor(int host_fd) override;

 private:
  KernelView& kernel_;
  CgroupView& cgroups_;
  const size_t hierarchy_;
  std::mutex opened_lock_;
  std::map<std::pair<dev_t, ino_t>, std::string> opened_;  // opened_lock_; names of native files
};

bool lists_tasks(std::string_view name) {
  return name == "cgroup.procs" || name == "cgroup.threads" || name == "tasks";
}

Result<std::string> Cgroupfs::text(const std::string& name) {
  std::string host = TRY(cgroups_.read(hierarchy_, name));
  if (!lists_tasks(name)) return host;
  std::string inside;
  for_each_line(host, [&](std::string_view line) {
    auto host_pid = parse_number<pid_t>(line);
    // Who is in the group without being in the sandbox (its supervisor, the caller's shell) has no number
    // here.
    pid_t pid = host_pid ? kernel_.pid_inside(*host_pid) : 0;
    if (pid != 0) fmt::format_to(std::back_inserter(inside), "{}\n", pid);
  });
  return inside;
}

Result<UniqueFd> Cgroupfs::open(const std::string& name, int flags) {
  UniqueFd file = TRY(cgroups_.open(hierarchy_, name, flags));
  struct stat status;
  TRY(host_status(::fstat(file.get(), &status)));
  std::lock_guard guard(opened_lock_);
  opened_.try_emplace({status.st_dev, status.st_ino}, name);
  return file;
}

std::optional<std::string> Cgroupfs::path_of_descriptor(int host_fd) {
  struct stat status;
  if (::fstat(host_fd, &status) < 0) return std::nullopt;
  std::lock_guard guard(opened_lock_);
  auto found = opened_.find({status.st_dev, status.st_ino});
  if (found == opened_.end()) return std::nullopt;
  return "/" + found->second;
}

// A copy of the text for who reads it; who watches it sees others write the group's own.
class GroupFile final : public GeneratedFile {
 public:
  GroupFile(Cgroupfs& cgroupfs, uint64_t inode, const CgroupFile& file)
      : GeneratedFile(cgroupfs, inode, file.permissions,
                      [&cgroupfs, name = file.name](const Caller*) { return cgroupfs.text(name); }),
        cgroupfs_(cgroupfs),
        name_(file.name) {}

  Result<UniqueFd> host_object() override { return cgroupfs_.open(name_, O_PATH); }

 private:
  Cgroupfs& cgroupfs_;
  const std::string name_;
};

class GroupDirectory final : public SyntheticNode {
 public:
  explicit GroupDirectory(Cgroupfs& cgroupfs)
      : SyntheticNode(cgroupfs, SyntheticFilesystem::kRootInode, S_IFDIR | 0755), cgroupfs_(cgroupfs) {}

  Result<InodePtr> lookup(std::string_view name) override {
    CgroupFile file = TRY(cgroupfs_.file(name));
    if (file.tells_changes) {
      auto open = [&cgroupfs = cgroupfs_, name = file.name](int flags) { return cgroupfs.open(name, flags); };
      return std::make_shared<NativeFile>(cgroupfs_, file.permissions, std::move(open));
    }
    return std::make_shared<GroupFile>(cgroupfs_, inode_for(name), file);
  }
  // A controller that is switched on for the group brings its files with it.
  bool is_current(std::string_view name, const InodePtr& child) override {
    return (child != nullptr) == cgroupfs_.file(name).has_value();
  }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    std::vector<DirectoryEntry> entries;
    for (CgroupFile& file : TRY(cgroupfs_.files())) {
      uint64_t inode = inode_for(file.name);
      entries.push_back({std::move(file.name), inode, directory_entry_type(S_IFREG)});
    }
    return entries;
  }

 private:
  static uint64_t inode_for(std::string_view name) {
    return SyntheticFilesystem::inode_of(SyntheticFilesystem::kRootInode, name);
  }

  Cgroupfs& cgroupfs_;
};

template <typename Take>
void for_each_controller(std::string_view list, Take take) {
  while (!list.empty()) {
    std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    take(std::string(name));
  }
}

// What hosts with version 1 have at /sys/fs/cgroup.
std::shared_ptr<Filesystem> create_cgroup_mountpoints(CgroupView& cgroups) {
  auto tmpfs = std::make_shared<SyntheticFilesystem>("tmpfs", CachePolicy::kTrust, TMPFS_MAGIC, "tmpfs",
                                                     "rw,mode=755");
  auto root = std::make_shared<FixedDirectory>(*tmpfs, SyntheticFilesystem::kRootInode, 0755);
  for (const CgroupHierarchy& hierarchy : cgroups.hierarchies()) {
    if (!hierarchy.directory || hierarchy.directory->empty()) continue;
    root->add_directory(*hierarchy.directory, 0755);
    if (hierarchy.controllers != *hierarchy.directory) continue;
    for_each_controller(hierarchy.controllers, [&](std::string name) {
      if (name == *hierarchy.directory) return;
      uint64_t inode = root->inode_for(name);
      root->add(std::move(name), std::make_shared<GeneratedLink>(*tmpfs, inode, *hierarchy.directory));
    });
  }
  tmpfs->set_root(std::move(root));
  return tmpfs;
}

}  // namespace

std::shared_ptr<Filesystem> create_cgroupfs(KernelView& kernel, CgroupView& cgroups, size_t hierarchy) {
  auto cgroupfs = std::make_shared<Cgroupfs>(kernel, cgroups, hierarchy, cgroups.hierarchies()[hierarchy]);
  cgroupfs->set_root(std::make_shared<GroupDirectory>(*cgroupfs));
  return cgroupfs;
}

Result<void> mount_cgroups(KernelView& kernel, CgroupView& cgroups, const MountCgroupfs& mount) {
  constexpr const char* kTop = "/sys/fs/cgroup";
  const std::vector<CgroupHierarchy>& all = cgroups.hierarchies();
  auto alone = std::ranges::find(all, std::optional<std::string>(""), &CgroupHierarchy::directory);
  if (alone != all.end())
    return mount(kTop, create_cgroupfs(kernel, cgroups, static_cast<size_t>(alone - all.begin())));
  bool has_mounts = std::ranges::any_of(
      all, [](const CgroupHierarchy& hierarchy) { return hierarchy.directory.has_value(); });
  if (!has_mounts) return {};
  TRY(mount(kTop, create_cgroup_mountpoints(cgroups)));
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].directory)
      TRY(mount(fmt::format("{}/{}", kTop, *all[i].directory), create_cgroupfs(kernel, cgroups, i)));
  return {};
}

}  // namespace sandbox::vfs
