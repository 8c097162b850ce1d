// unshare(2) of what the sentry keeps or looks up for a task.
#include <sched.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

SyscallResult sys_unshare(Call& call, NamespaceFlags flags) {
  // Namespaces are denied by the filter; what else unshare takes means nothing to a single thread and is
  // EINVAL for any other.
  constexpr uint64_t kNoOpAlone = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  TRY(allow_flags(flags, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | kNoOpAlone));
  TaskPtr task = call.task_ptr();
  auto group = call.sentry().tasks().of_group(task->host_tgid());
  if ((flags & kNoOpAlone) && group.size() > 1) return err(EINVAL);
  if (flags & CLONE_FS) task->unshare_fs();
  if (flags & CLONE_FILES) {
    for (const TaskPtr& each : group) each->stop_using_table_of_process();
  }
  // Only a register is read again, and the filter has looked at it.
  return Reply::run_natively();
}

}  // namespace sandbox
