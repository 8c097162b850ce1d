// PidNamespaceLauncher: puts a workload's first process into a PID namespace that is there already.
#pragma once

#include <sys/types.h>

#include <memory>

#include "platform/launch_child.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// To be in a PID namespace is for children only, and who has given children another one can make no thread
// any more (setns(2), clone(2)). So a process beside the sentry, a child of the sentry's parent that shares
// its memory and descriptors, enters it while the sentry has the rights to, waits until the sentry has
// namespaces of its own, and clones the first process there.
class PidNamespaceLauncher {
 public:
  virtual ~PidNamespaceLauncher() = default;  // an unused one ends
  // By the thread that calls launch later. Errors: those of setns(2) and clone(2).
  static Result<std::unique_ptr<PidNamespaceLauncher>> create(const UniqueFd& pid_namespace);
  // A detached procfs of that namespace; not open: the caller may not mount one. Once.
  virtual UniqueFd take_procfs() = 0;
  // Once. In the caller's user and mount namespaces; the other namespaces are those that the caller had at
  // create(). The first process closes `callers_end` and goes on with the plan. Errors: those of setns(2) and
  // clone(2).
  virtual Result<pid_t> launch(unsigned long clone_flags, const LaunchPlan& plan, int callers_end) = 0;
};

}  // namespace sandbox::platform
