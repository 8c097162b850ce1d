// setuid(2) and its family, setgroups(2), capset(2): the kernel decides, the sentry forgets what it knew; and
// prctl(2), as far as it is about no_new_privs.
#include <sys/prctl.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// The kernel judges by its own record of the task, in the workload's user namespace, and reads no path:
// whatever another thread puts into the arguments is a request the caller could have made itself.
Reply let_kernel_change(Call& call) {
  call.task().forget_credentials();
  return Reply::run_natively();
}

}  // namespace

SyscallResult sys_setuid(Call& call, Uid) { return let_kernel_change(call); }
SyscallResult sys_setgid(Call& call, Gid) { return let_kernel_change(call); }
SyscallResult sys_setreuid(Call& call, Uid, Uid) { return let_kernel_change(call); }
SyscallResult sys_setregid(Call& call, Gid, Gid) { return let_kernel_change(call); }
SyscallResult sys_setresuid(Call& call, Uid, Uid, Uid) { return let_kernel_change(call); }
SyscallResult sys_setresgid(Call& call, Gid, Gid, Gid) { return let_kernel_change(call); }
SyscallResult sys_setfsuid(Call& call, Uid) { return let_kernel_change(call); }
SyscallResult sys_setfsgid(Call& call, Gid) { return let_kernel_change(call); }
SyscallResult sys_setgroups(Call& call, Int, InGroups) { return let_kernel_change(call); }
// Errors: EINVAL (another argument is in use).
SyscallResult sys_prctl(Call& call, PrctlOption option, PrctlArgument2 arg2, PrctlArgument3 arg3,
                        PrctlArgument4 arg4, PrctlArgument5 arg5) {
  const bool has_rest = uint64_t{arg3} != 0 || uint64_t{arg4} != 0 || uint64_t{arg5} != 0;
  if (option == PR_GET_NO_NEW_PRIVS) {
    if (uint64_t{arg2} != 0 || has_rest) return err(EINVAL);
    return static_cast<int64_t>(call.task().no_new_privs());
  }
  if (uint64_t{arg2} != 1 || has_rest) return err(EINVAL);
  call.task().set_no_new_privs(NoNewPrivs::kSet);
  return 0;
}
SyscallResult sys_capset(Call& call, In<CapabilityHeader>, InCapabilities) { return let_kernel_change(call); }

}  // namespace sandbox
