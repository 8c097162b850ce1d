// What handlers of calls that change ids and capabilities share: who decides, the kernel or the sentry.
#pragma once

#include "sentry/call.h"
#include "sentry/task.h"

namespace sandbox {

// The kernel judges by its own record of the task, in the workload's user namespace, and reads no path:
// whatever another thread puts into the arguments is a request the caller could have made itself.
inline Reply let_kernel_change(Call& call) {
  call.task().forget_credentials();
  return Reply::run_natively();
}

// `change` is made to the ids that the sentry keeps, and returns what the call returns; where the kernel
// keeps them, it decides.
template <typename Change>
SyscallResult change_ids(Call& call, Change change) {
  auto ids = call.task().own_ids();
  if (ids == nullptr) return let_kernel_change(call);
  TaskIds changed = *ids;
  const int64_t answer = TRY(change(changed));
  call.task().set_own_ids(std::move(changed));
  return answer;
}

inline Result<int64_t> zero_if(Result<void> status) {
  TRY(status);
  return 0;
}

}  // namespace sandbox
