// setrlimit(2) and prlimit(2) where they would change the limit of core files.
#include <sys/resource.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// The launch sets both limits to 1, which no other value may replace: where core_pattern is a pipe, Linux
// gives the core to the host's handler whatever the limit, 0 included, but not with 1 (fs/coredump.c). A
// program that asks for none at all is told that it has that, which it does.
constexpr rlimit kNoCore{1, 1};

Result<void> set_core_limit(Call& call, In<struct rlimit> pointer) {
  rlimit wanted = TRY(call.memory().read(pointer));
  if (wanted.rlim_cur > wanted.rlim_max) return err(EINVAL);
  if (wanted.rlim_max > kNoCore.rlim_max) return err(EPERM);
  return {};
}

}  // namespace

// Only RLIMIT_CORE comes here.
SyscallResult sys_setrlimit(Call& call, RlimitResource, In<struct rlimit> limit) {
  TRY(set_core_limit(call, limit));
  return 0;
}

// Only RLIMIT_CORE with a new limit comes here.
SyscallResult sys_prlimit64(Call& call, Pid pid, RlimitResource, In<struct rlimit> limit,
                            Out<struct rlimit> old_limit) {
  bool is_own = pid == 0 || pid == call.task().inside_ids(call.sentry().host_proc()).tgid;
  if (!is_own) return err(EPERM);
  TRY(set_core_limit(call, limit));
  if (old_limit.address != 0) TRY(call.memory().write(old_limit, kNoCore));
  return 0;
}

}  // namespace sandbox
