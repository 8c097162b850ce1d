// TaskIds: ids and capabilities that the sentry keeps for a task where the kernel has only one id to give.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "sandbox/credentials.h"
#include "sandbox/result.h"
#include "sentry/task_capabilities.h"

namespace sandbox {

// The Linux analogue is struct cred. Changes follow credentials(7) and kernel/sys.c; each
// method changes nothing when it fails. -1 as an argument leaves that id as it is.
struct TaskIds {
  using Set = TaskCapabilities::Users;
  Set users, groups;
  std::vector<gid_t> supplementary;  // sorted
  TaskCapabilities capabilities;

  static TaskIds of(uid_t uid, gid_t gid, std::vector<gid_t> supplementary, const CapabilitySets& sets);

  // Errors: EINVAL (-1 for set_user and set_group), EPERM.
  Result<void> set_user(uint32_t id);                             // setuid(2)
  Result<void> set_real_user(uint32_t real, uint32_t effective);  // setreuid(2)
  Result<void> set_users(uint32_t real, uint32_t effective, uint32_t saved);
  Result<void> set_group(uint32_t id);
  Result<void> set_real_group(uint32_t real, uint32_t effective);
  Result<void> set_groups(uint32_t real, uint32_t effective, uint32_t saved);
  // setfsuid(2): the id before; one that may not be set changes nothing.
  uint32_t set_filesystem_user(uint32_t id);
  uint32_t set_filesystem_group(uint32_t id);
  Result<void> set_supplementary(std::vector<gid_t> ids);  // setgroups(2)
  // execve(2), which gives no program another user here: no_new_privs is always set.
  void note_exec();

  Credentials credentials() const;
};

}  // namespace sandbox
