// Finding a task's host /proc directory, and who may look into it (kernel/ptrace.c: __ptrace_may_access).
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

std::string host_path(const TaskReference& reference, const TaskView& task) {
  if (reference.scope == TaskReference::Scope::kProcess) return fmt::format("{}", task.host_tid);
  return fmt::format("{}/task/{}", task.host_tgid, task.host_tid);
}

// What the access rule compares, in the workload's numbers.
struct TargetCredentials {
  uid_t uid = 0, euid = 0, suid = 0;
  gid_t gid = 0, egid = 0, sgid = 0;
  uint64_t permitted_caps = 0;
};

Result<TargetCredentials> credentials_of(const TaskContext& context) {
  if (const auto& kept = context.task.kept) {
    const Credentials& ids = kept->ids;
    return TargetCredentials{ids.uid, ids.euid, ids.suid, ids.gid, ids.egid, ids.sgid, ids.permitted_caps};
  }
  std::string text = TRY(context.read_host("status"));
  TargetCredentials found;
  const IdMap& uids = context.kernel.uid_map();
  const IdMap& gids = context.kernel.gid_map();
  for_each_line(text, [&](std::string_view line) {
    std::string_view key = take_word(&line);
    auto id = [&line](const IdMap& map) {
      return map.to_inside(parse_number<uint32_t>(take_word(&line)).value_or(IdMap::kOverflowId));
    };
    if (key == "Uid:") {
      found.uid = id(uids);
      found.euid = id(uids);
      found.suid = id(uids);
    } else if (key == "Gid:") {
      found.gid = id(gids);
      found.egid = id(gids);
      found.sgid = id(gids);
    } else if (key == "CapPrm:") {
      found.permitted_caps = parse_number<uint64_t>(take_word(&line), 16).value_or(~0ull);
    }
  });
  return found;
}

}  // namespace

Result<std::string> TaskContext::read_host(const std::string& path) const {
  return read_host_file(host_directory.get(), path);
}

Result<TaskContext> open_task(Procfs& procfs, const TaskReference& reference, const Caller* caller,
                              std::string_view name) {
  KernelView& kernel = procfs.kernel();
  TaskView task = TRY(kernel.task(reference.tgid, reference.tid));
  auto directory = open_host_file(kernel.host_proc(), host_path(reference, task), O_PATH | O_DIRECTORY);
  if (!directory) return err(directory.error() == Errno(ENOENT) ? ESRCH : directory.error().value());
  // The pid may have been another process's by the time of the open; an open directory stays with its
  // own process, so a task that is still ours now was ours then.
  TaskView after = TRY(kernel.task(reference.tgid, reference.tid));
  if (after.host_tid != task.host_tid || after.host_tgid != task.host_tgid) return err(ESRCH);
  return TaskContext{procfs, kernel, caller, reference, std::move(task), std::move(*directory), name};
}

bool is_own_process(Procfs& procfs, const Caller& caller, const TaskReference& reference) {
  KernelView& kernel = procfs.kernel();
  pid_t tid = kernel.pid_inside(caller.host_tid);
  if (tid == 0) return false;
  auto task = kernel.task(0, tid);
  return task && task->tgid == reference.tgid;
}

Result<void> check_access(const TaskContext& context, Access access) {
  if (access == Access::kAnyone || context.caller == nullptr) return {};
  if (is_own_process(context.procfs, *context.caller, context.reference)) return {};
  const Credentials& caller = context.caller->credentials;
  if (caller.has_capability(CAP_SYS_PTRACE)) return {};
  TargetCredentials target = TRY(credentials_of(context));
  bool is_same_user = caller.fsuid == target.uid && caller.fsuid == target.euid &&
                      caller.fsuid == target.suid && caller.fsgid == target.gid &&
                      caller.fsgid == target.egid && caller.fsgid == target.sgid;
  bool has_its_caps = (target.permitted_caps & ~caller.effective_caps) == 0;
  if (!is_same_user || !has_its_caps) return err(EACCES);
  // The kernel gives the files of a task that is not dumpable to root.
  struct stat status;
  if (::fstatat(context.host_directory.get(), "environ", &status, AT_SYMLINK_NOFOLLOW) < 0) return err(ESRCH);
  const bool is_kept = context.task.kept != nullptr;
  if (!is_kept && context.kernel.uid_map().to_inside(status.st_uid) != target.euid) return err(EACCES);
  return {};
}

Result<SyntheticNode::Owner> TaskNode::owner() {
  auto task = procfs_.kernel().task(reference_.tgid, reference_.tid);
  if (!task) return err(ENOENT);
  std::string path = host_path(reference_, *task);
  // A directory shows whom the task acts as; a file shows who may look into it.
  if (!is_directory()) path += "/environ";
  struct stat status;
  if (::fstatat(procfs_.kernel().host_proc(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
    return err(ENOENT);
  if (task->kept) return Owner{task->kept->ids.euid, task->kept->ids.egid, status.st_mtim, std::nullopt};
  return Owner{procfs_.kernel().uid_map().to_inside(status.st_uid),
               procfs_.kernel().gid_map().to_inside(status.st_gid), status.st_mtim, std::nullopt};
}

TaskGeneratedFile::TaskGeneratedFile(Procfs& procfs, const TaskReference& reference, uint64_t inode,
                                     mode_t permissions, Access access, std::string name, Generator generator)
    : TaskNode(procfs, reference, inode, S_IFREG | permissions),
      access_(access),
      name_(std::move(name)),
      generator_(std::move(generator)) {}

Result<std::string> TaskGeneratedFile::generate(const Caller* caller) {
  TaskContext task = TRY(context(caller, name_));
  TRY(check_access(task, access_));
  return generator_(task);
}

Result<std::string> task_verbatim(const TaskContext& context) {
  return context.read_host(std::string(context.name));
}

std::optional<int> parse_decimal_name(std::string_view name) {
  if (name.empty() || (name.size() > 1 && name.front() == '0') || name.front() < '0' || name.front() > '9')
    return {};
  return parse_number<int>(name);
}

}  // namespace sandbox::vfs
