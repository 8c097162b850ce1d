// Links that name objects of a task: cwd, root, exe and its namespaces (fs/proc/base.c,
// fs/proc/namespaces.c).
#include <fcntl.h>
#include <fmt/format.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/host_file.h"

namespace sandbox::vfs {
namespace {

enum class Place { kCwd, kRoot, kExe };

class PlaceLink : public TaskNode {
 public:
  PlaceLink(Procfs& procfs, const TaskReference& reference, uint64_t inode, Place place)
      : TaskNode(procfs, reference, inode, S_IFLNK | 0777), place_(place) {}

  Result<std::string> readlink(const Caller& caller) override {
    TaskContext task = TRY(accessible(caller));
    std::string path = place_ == Place::kCwd    ? task.task.cwd
                       : place_ == Place::kRoot ? task.task.root
                                                : task.task.exe;
    if (path.empty()) return err(ENOENT);
    return path;
  }

  Result<std::optional<Location>> follow_magic(const Caller& caller) override {
    TaskContext task = TRY(accessible(caller));
    TaskPlaces places = TRY(procfs().options_of_mount().places(task.task));
    Location place = place_ == Place::kCwd ? places.cwd : place_ == Place::kRoot ? places.root : places.exe;
    if (!place) return err(ENOENT);
    return place;
  }

 private:
  Result<TaskContext> accessible(const Caller& caller) const {
    auto task = context(&caller);
    if (!task) return err(task.error() == Errno(ESRCH) ? ENOENT : task.error().value());
    TRY(check_access(*task, Access::kPtrace));
    return task;
  }

  const Place place_;
};

template <Place place>
InodePtr make_place_link(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<PlaceLink>(procfs, reference, inode, place);
}

// ---- ns/ ----

constexpr const char* kNamespaces[] = {
    "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts",
};

class NamespaceLink : public TaskNode {
 public:
  NamespaceLink(Procfs& procfs, const TaskReference& reference, uint64_t inode, const char* name)
      : TaskNode(procfs, reference, inode, S_IFLNK | 0777), path_(fmt::format("ns/{}", name)) {}

  Result<std::string> readlink(const Caller& caller) override {
    TaskContext task = TRY(context(&caller));
    TRY(check_access(task, Access::kPtrace));
    return read_host_link(task.host_directory.get(), path_);
  }

  // The object is the workload's own namespace: a descriptor of it tells its number, and setns,
  // which would do more, is refused.
  Result<std::optional<Location>> follow_magic(const Caller& caller) override {
    TaskContext task = TRY(context(&caller));
    TRY(check_access(task, Access::kPtrace));
    UniqueFd object(::openat(task.host_directory.get(), path_.c_str(), O_PATH | O_CLOEXEC));
    if (!object) return last_error();
    return TRY(procfs().options_of_mount().locate(caller, std::move(object)));
  }

 private:
  const std::string path_;
};

class NamespaceDirectory : public TaskNode {
 public:
  using TaskNode::TaskNode;

  Result<InodePtr> lookup(std::string_view name) override {
    for (const char* known : kNamespaces) {
      if (name == known && procfs().is_on_host(fmt::format("ns/{}", known)))
        return std::make_shared<NamespaceLink>(procfs(), reference(), inode_for(name), known);
    }
    return err(ENOENT);
  }
  bool is_current(std::string_view, const InodePtr&) override { return is_alive(); }
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override {
    TRY(check_access(TRY(context(&caller)), Access::kPtrace));
    std::vector<DirectoryEntry> entries;
    for (const char* name : kNamespaces)
      if (procfs().is_on_host(fmt::format("ns/{}", name)))
        entries.push_back({name, inode_for(name), directory_entry_type(S_IFLNK)});
    return entries;
  }

 private:
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }
};

InodePtr make_namespaces(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<NamespaceDirectory>(procfs, reference, inode, S_IFDIR | 0511);
}

constexpr TaskRow kRows[] = {
    task_link("cwd", make_place_link<Place::kCwd>),
    task_link("root", make_place_link<Place::kRoot>),
    task_link("exe", make_place_link<Place::kExe>),
    task_directory("ns", 0511, make_namespaces),
};

}  // namespace

std::span<const TaskRow> task_link_rows() { return kRows; }

}  // namespace sandbox::vfs
