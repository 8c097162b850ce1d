// setuid(2) and its family, setgroups(2), capset(2): the kernel decides, the sentry forgets what it knew.
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
SyscallResult sys_capset(Call& call, In<CapabilityHeader>, InCapabilities) { return let_kernel_change(call); }

}  // namespace sandbox
