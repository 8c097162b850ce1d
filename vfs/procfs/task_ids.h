// The pids of a task's relatives as the workload sees them.
#pragma once

#include "vfs/procfs/context.h"

namespace sandbox::vfs {

// 0: not of this sandbox, as the kernel shows a pid from outside its namespace.
struct TaskIds {
  pid_t parent = 0, group = 0, session = 0;
};

// From the text of the host's status file.
TaskIds find_task_ids(const TaskContext& context, std::string_view host_status);
// Errors: ESRCH.
Result<TaskIds> read_task_ids(const TaskContext& context);

}  // namespace sandbox::vfs
