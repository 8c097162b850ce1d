// Who the workload is: its ids, and how they relate to the sentry's.
#pragma once

#include <vector>

#include "platform/platform.h"
#include "sentry/failure.h"

namespace sandbox {

struct WorkloadIds {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  // kSentry: the kernel has one id for all of them, which is 0 inside.
  platform::IdKeeper keeper = platform::IdKeeper::kKernel;
  IdMap uid_map = IdMap::identity(), gid_map = IdMap::identity();  // workload's namespace to the sentry's
};

// An image has owners of its own: where the sentry's namespace is not root's with all usual ids, the sentry
// keeps the ids itself. Otherwise: the configured user, or the caller's ids. An id that the sentry's
// namespace does not have is mapped to the caller's own. Failures: neither the id nor a way to map it.
Configured<WorkloadIds> workload_ids(const SandboxConfig& config,
                                     const platform::SentryNamespaces& namespaces);

}  // namespace sandbox
