// getrlimit(2), setrlimit(2) and prlimit(2) of the limit of core files: only RLIMIT_CORE comes here. The real
// one never changes (platform/README.md), and no core is written; the workload is told what it asked for.
#include <linux/capability.h>
#include <sys/resource.h>

#include "sentry/calls/handlers.h"
#include "sentry/task_status.h"

namespace sandbox {

namespace {

Result<Credentials> credentials_of(Sentry& sentry, const Task& task) {
  if (auto ids = task.own_ids()) return ids->credentials();
  return credentials_in(TRY(read_task_status(sentry.host_proc(), task.host_tid)), sentry.uid_map(),
                        sentry.gid_map());
}

// check_prlimit_permission() in kernel/sys.c. Errors: ESRCH, EPERM.
Result<TaskPtr> task_to_limit(Call& call, pid_t pid) {
  TaskPtr task = TRY(call.task_called(pid));
  if (task == call.task_ptr() || call.credentials().has_capability(CAP_SYS_RESOURCE)) return task;
  const Credentials theirs = TRY(credentials_of(call.sentry(), *task));
  const Credentials& own = call.credentials();
  const bool is_same_user = own.uid == theirs.uid && own.uid == theirs.euid && own.uid == theirs.suid;
  const bool is_same_group = own.gid == theirs.gid && own.gid == theirs.egid && own.gid == theirs.sgid;
  if (!is_same_user || !is_same_group) return err(EPERM);
  return task;
}

Result<rlimit> change_core_limit(const TaskPtr& task, const std::optional<rlimit>& wanted) {
  if (wanted && wanted->rlim_cur > wanted->rlim_max) return err(EINVAL);
  return task->process->exchange_core_limit(wanted);
}

}  // namespace

SyscallResult sys_getrlimit(Call& call, RlimitResource, Out<struct rlimit> limit) {
  TRY(call.memory().write(limit, call.task().process->core_limit()));
  return 0;
}

SyscallResult sys_setrlimit(Call& call, RlimitResource, In<struct rlimit> limit) {
  const rlimit wanted = TRY(call.memory().read(limit));
  TRY(change_core_limit(call.task_ptr(), wanted));
  return 0;
}

SyscallResult sys_prlimit64(Call& call, Pid pid, RlimitResource, In<struct rlimit> limit,
                            Out<struct rlimit> old_limit) {
  std::optional<rlimit> wanted;
  if (limit.address != 0) wanted = TRY(call.memory().read(limit));
  const TaskPtr task = TRY(task_to_limit(call, pid));
  const rlimit before = TRY(change_core_limit(task, wanted));
  if (old_limit.address != 0) TRY(call.memory().write(old_limit, before));
  return 0;
}

}  // namespace sandbox
