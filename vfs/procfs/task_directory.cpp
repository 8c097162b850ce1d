// /proc/PID and /proc/PID/task/TID: directories whose entries are the rows of the task tables.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/host_file.h"

namespace sandbox::vfs {
namespace {

using Scope = TaskReference::Scope;

// Calls `take` with every row, until it returns true.
template <typename Take>
void find_row(Take take) {
  const std::array tables = {task_status_rows(),  task_settings_rows(), task_memory_rows(),
                             task_mount_rows(),   task_link_rows(),     task_descriptor_rows(),
                             task_network_rows(), task_cgroup_rows()};
  for (std::span<const TaskRow> table : tables)
    for (const TaskRow& row : table)
      if (take(row)) return;
}

bool is_present(Procfs& procfs, const TaskRow& row, Scope scope) {
  if (row.where == TaskRow::Where::kProcess && scope != Scope::kProcess) return false;
  if (row.where == TaskRow::Where::kThread && scope != Scope::kThread) return false;
  if (row.presence == TaskRow::Presence::kAlways) return true;
  if (row.where == TaskRow::Where::kThread) return procfs.is_on_host(fmt::format("task/{}", row.name));
  return procfs.is_on_host(row.name);
}

// A file of the host's /proc that the workload gets as it is.
class NativeFile : public Inode {
 public:
  NativeFile(Procfs& procfs, const TaskReference& reference, const TaskRow& row)
      : Inode(procfs, S_IFREG), procfs_(procfs), reference_(reference), row_(row) {}

  // Device and number are the host's: fstat of what open gives tells them too.
  Result<Attributes> getattr() override {
    auto task = open_task(procfs_, reference_, nullptr, row_.name);
    if (!task) return err(ENOENT);
    Attributes attributes = {};
    if (::statx(task->host_directory.get(), row_.name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &attributes) <
        0)
      return err(ENOENT);
    attributes.stx_mode = static_cast<uint16_t>(row_.mode);
    attributes.stx_uid = procfs_.kernel().uid_map().to_inside(attributes.stx_uid);
    attributes.stx_gid = procfs_.kernel().gid_map().to_inside(attributes.stx_gid);
    return attributes;
  }

  Result<UniqueFd> open(const Caller& caller, int flags) override {
    TaskContext task = TRY(open_task(procfs_, reference_, &caller, row_.name));
    bool is_own = is_own_process(procfs_, caller, reference_);
    bool is_reading_only = (flags & O_ACCMODE) == O_RDONLY;
    bool is_path_only = flags & O_PATH;
    bool is_for_own = row_.native == Native::kOwnRead || !is_reading_only;
    if (is_for_own && !is_own && !is_path_only) return err(EACCES);
    if (row_.native != Native::kOwnReadWrite && !is_reading_only && !is_path_only) return err(EACCES);
    // What is left of the flags changes nothing but how the descriptor itself behaves.
    constexpr int kHarmless = O_ACCMODE | O_NONBLOCK | O_PATH;
    return open_host_file(task.host_directory.get(), row_.name, flags & kHarmless);
  }

 private:
  Procfs& procfs_;
  const TaskReference reference_;
  const TaskRow& row_;
};

InodePtr make_node(Procfs& procfs, const TaskReference& reference, uint64_t inode, const TaskRow& row) {
  if (row.make) return row.make(procfs, reference, inode);
  if (row.native != Native::kNo) return std::make_shared<NativeFile>(procfs, reference, row);
  return std::make_shared<TaskGeneratedFile>(procfs, reference, inode, row.mode & 07777, row.access, row.name,
                                             row.generate);
}

// ---- task/ ----

class ThreadsDirectory : public TaskNode {
 public:
  using TaskNode::TaskNode;

  Result<InodePtr> lookup(std::string_view name) override {
    auto tid = parse_decimal_name(name);
    if (!tid) return err(ENOENT);
    auto task = procfs().kernel().task(reference().tgid, *tid);
    if (!task || task->tgid != reference().tgid) return err(ENOENT);
    return make_task_directory(procfs(), {reference().tgid, *tid, Scope::kThread}, inode_for(name));
  }
  bool is_current(std::string_view, const InodePtr& child) override {
    return child && static_cast<TaskNode&>(*child).is_alive();
  }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    std::vector<DirectoryEntry> entries;
    for (pid_t tid : procfs().kernel().thread_ids(reference().tgid)) {
      std::string name = std::to_string(tid);
      uint64_t inode = inode_for(name);
      entries.push_back({std::move(name), inode, directory_entry_type(S_IFDIR)});
    }
    if (entries.empty()) return err(ENOENT);
    return entries;
  }

 protected:
  uint32_t link_count() override {
    return 2 + static_cast<uint32_t>(procfs().kernel().thread_ids(reference().tgid).size());
  }

 private:
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }
};

class TaskDirectory : public TaskNode {
 public:
  TaskDirectory(Procfs& procfs, const TaskReference& reference, uint64_t inode)
      : TaskNode(procfs, reference, inode, S_IFDIR | 0555) {}

  Result<InodePtr> lookup(std::string_view name) override {
    if (name == "task" && reference().scope == Scope::kProcess)
      return std::make_shared<ThreadsDirectory>(procfs(), reference(), inode_for(name), S_IFDIR | 0555);
    InodePtr found;
    find_row([&](const TaskRow& row) {
      if (name != row.name) return false;
      if (is_present(procfs(), row, reference().scope))
        found = make_node(procfs(), reference(), inode_for(name), row);
      return true;
    });
    if (!found || !is_alive()) return err(ENOENT);
    return found;
  }
  bool is_current(std::string_view, const InodePtr&) override { return is_alive(); }

  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    if (!is_alive()) return err(ENOENT);
    std::vector<DirectoryEntry> entries;
    if (reference().scope == Scope::kProcess)
      entries.push_back({"task", inode_for("task"), directory_entry_type(S_IFDIR)});
    find_row([&](const TaskRow& row) {
      if (is_present(procfs(), row, reference().scope))
        entries.push_back({row.name, inode_for(row.name), directory_entry_type(row.mode)});
      return false;
    });
    return entries;
  }

 protected:
  uint32_t link_count() override { return reference().scope == Scope::kProcess ? 9 : 7; }  // as the kernel's

 private:
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }
};

}  // namespace

InodePtr make_task_directory(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<TaskDirectory>(procfs, reference, inode);
}

}  // namespace sandbox::vfs
