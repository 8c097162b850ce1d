// TaskStatus: the few lines of the host's /proc/TID/status that the sentry decides by.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sandbox/credentials.h"
#include "sandbox/id_map.h"
#include "sandbox/result.h"

namespace sandbox {

// Ids are as the sentry's user namespace shows them (proc_pid_status(5)).
struct TaskStatus {
  std::array<uint32_t, 4> uids{}, gids{};  // real, effective, saved, file system
  std::vector<uint32_t> groups;
  uint64_t effective_caps = 0, permitted_caps = 0;
  pid_t parent = 0;                       // host pid
  pid_t tgid = 0;                         // host pid
  pid_t inside_tid = 0, inside_tgid = 0;  // in the innermost PID namespace of the task
  uint64_t pending_signals = 0, pending_group_signals = 0, blocked_signals = 0;
  uint64_t ignored_signals = 0, caught_signals = 0;
  char state = 'X';  // R S D T t Z X
};

// Errors: ESRCH.
Result<TaskStatus> read_task_status(int host_proc, pid_t host_tid);
TaskStatus parse_task_status(std::string_view text);
// What it says of rights, with the ids that the workload sees.
Credentials credentials_in(const TaskStatus& status, const IdMap& uids, const IdMap& gids);

}  // namespace sandbox
