// What the generators of /proc are given, and the rows their tables are made of.
#pragma once

#include <map>
#include <mutex>
#include <span>

#include "vfs/procfs/procfs.h"
#include "vfs/synthetic/nodes.h"

namespace sandbox::vfs {

class Procfs final : public SyntheticFilesystem {
 public:
  explicit Procfs(ProcfsOptions options);

  KernelView& kernel() const { return options_.kernel; }
  ResourceView& resources() const { return options_.resources; }
  const ProcfsOptions& options_of_mount() const { return options_; }
  // /proc/sys/kernel/random/boot_id: drawn once for each sandbox.
  const std::string& boot_id() const { return boot_id_; }
  // Building only: descriptors of that host file were opened from `path` here.
  void note_native(dev_t device, ino_t inode, std::string path) {
    native_paths_[{device, inode}] = std::move(path);
  }
  // Whether the host kernel was built with /proc/PID/`name`.
  bool is_on_host(std::string_view name);

  bool holds_missing_names() const override { return false; }
  // The path here of a file of the host's /proc that a native node opened ("/12/comm").
  std::optional<std::string> path_of_descriptor(int host_fd) override;

 private:
  const ProcfsOptions options_;
  const std::string boot_id_;
  std::mutex host_names_lock_;
  std::map<std::string, bool, std::less<>> host_names_;          // those that were asked for
  std::map<std::pair<dev_t, ino_t>, std::string> native_paths_;  // built with the tree
};

// ---- files of the root ----

struct RootContext {
  Procfs& procfs;
  KernelView& kernel;
  ResourceView& resources;
  const Caller* caller;  // may be null
};
using RootGenerator = Result<std::string> (*)(const RootContext& context);
struct RootFile {
  const char* name;  // "pressure/cpu" makes the directory as well
  mode_t permissions;
  RootGenerator generate;
};

// One table a source file, put together by the root directory.
std::span<const RootFile> machine_files();  // resources: meminfo, stat ...
std::span<const RootFile> system_files();   // version, filesystems, devices ...
void add_pressure(Procfs& procfs, FixedDirectory& root);
std::span<const RootFile> cgroup_files();
void add_sysctls(Procfs& procfs, FixedDirectory& sys);

// ---- files of a task ----

// A task as a directory of /proc names it: the directory outlives the task, and every use looks it up again.
struct TaskReference {
  pid_t tgid = 0, tid = 0;
  enum class Scope { kProcess, kThread } scope = Scope::kProcess;  // below /proc or below task/
  bool operator==(const TaskReference&) const = default;
};

struct TaskContext {
  Procfs& procfs;
  KernelView& kernel;
  const Caller* caller;  // may be null
  TaskReference reference;
  TaskView task;
  UniqueFd host_directory;  // the host's /proc/PID, of this very task even when its pid is reused
  std::string_view name;    // of the file being made

  Result<std::string> read_host(const std::string& path) const;
};

// Errors: ESRCH.
Result<TaskContext> open_task(Procfs& procfs, const TaskReference& reference, const Caller* caller,
                              std::string_view name);

// Who may read: everybody that the permission bits let, or only who might also ptrace the task.
enum class Access { kAnyone, kPtrace };
// ptrace_may_access with PTRACE_MODE_READ_FSCREDS (ptrace(2)); a null caller may. Errors: EACCES, ESRCH.
Result<void> check_access(const TaskContext& context, Access access);
// Whether the caller is a thread of this very process.
bool is_own_process(Procfs& procfs, const Caller& caller, const TaskReference& reference);

using TaskGenerator = Result<std::string> (*)(const TaskContext& context);
using TaskNodeMaker = InodePtr (*)(Procfs& procfs, const TaskReference& reference, uint64_t inode);

// The host's own file handed out as a real descriptor. What is not here is generated.
enum class Native {
  kNo,
  kRead,          // everybody may read
  kOwnRead,       // the process itself may read; others EACCES, writing EACCES
  kOwnReadWrite,  // everybody may read, the process itself may write too
};

struct TaskRow {
  const char* name;
  mode_t mode;  // with its type
  Access access = Access::kAnyone;
  TaskGenerator generate = nullptr;  // a generated file
  Native native = Native::kNo;
  TaskNodeMaker make = nullptr;  // anything else: links, directories
  enum class Where { kBoth, kProcess, kThread } where = Where::kBoth;
  enum class Presence { kAlways, kAsOnHost } presence = Presence::kAlways;
};

// Row constructors.
constexpr TaskRow task_file(const char* name, mode_t permissions, Access access, TaskGenerator generate) {
  return {.name = name, .mode = S_IFREG | permissions, .access = access, .generate = generate};
}
constexpr TaskRow task_native(const char* name, mode_t permissions, Native native) {
  return {.name = name, .mode = S_IFREG | permissions, .native = native};
}
constexpr TaskRow task_link(const char* name, TaskNodeMaker make) {
  return {.name = name, .mode = S_IFLNK | 0777, .make = make};
}
constexpr TaskRow task_directory(const char* name, mode_t permissions, TaskNodeMaker make) {
  return {.name = name, .mode = S_IFDIR | permissions, .make = make};
}
constexpr TaskRow where(TaskRow::Where place, TaskRow row) {
  row.where = place;
  return row;
}
constexpr TaskRow if_on_host(TaskRow row) {
  row.presence = TaskRow::Presence::kAsOnHost;
  return row;
}

// The text of the host's file of the same name, for files that hold no pid, path or id.
Result<std::string> task_verbatim(const TaskContext& context);

// One table a source file.
std::span<const TaskRow> task_status_rows();
std::span<const TaskRow> task_settings_rows();
std::span<const TaskRow> task_memory_rows();
std::span<const TaskRow> task_mount_rows();
std::span<const TaskRow> task_link_rows();
std::span<const TaskRow> task_descriptor_rows();
std::span<const TaskRow> task_network_rows();
std::span<const TaskRow> task_cgroup_rows();

// A node that belongs to a task: owned as the kernel owns it.
class TaskNode : public SyntheticNode {
 public:
  TaskNode(Procfs& procfs, const TaskReference& reference, uint64_t inode, mode_t mode)
      : SyntheticNode(procfs, inode, mode), procfs_(procfs), reference_(reference) {}

  const TaskReference& reference() const { return reference_; }
  // The owner follows the task's ids.
  bool has_steady_permissions() const override { return false; }
  // Whether the task is still there.
  bool is_alive() const { return procfs_.kernel().task(reference_.tgid, reference_.tid).has_value(); }

 protected:
  // The task's effective ids; root's when it is not dumpable, except for directories. Errors: ENOENT (gone).
  Result<Owner> owner() override;
  Result<TaskContext> context(const Caller* caller, std::string_view name = {}) const {
    return open_task(procfs_, reference_, caller, name);
  }
  Procfs& procfs() const { return procfs_; }

 private:
  Procfs& procfs_;
  const TaskReference reference_;
};

// A file of a task made by a function object; for directories that make their own files.
class TaskGeneratedFile : public TaskNode {
 public:
  using Generator = std::function<Result<std::string>(const TaskContext& context)>;
  TaskGeneratedFile(Procfs& procfs, const TaskReference& reference, uint64_t inode, mode_t permissions,
                    Access access, std::string name, Generator generator);
  bool is_generated() const override { return true; }
  Result<std::string> generate(const Caller* caller) override;

 private:
  const Access access_;
  const std::string name_;
  const Generator generator_;
};

// /proc/PID or /proc/PID/task/TID; its inode number is `inode`.
InodePtr make_task_directory(Procfs& procfs, const TaskReference& reference, uint64_t inode);
// A whole number without sign or leading zeros; nothing for any other name.
std::optional<int> parse_decimal_name(std::string_view name);

}  // namespace sandbox::vfs
