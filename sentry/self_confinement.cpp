// Limits and capabilities of the sentry's own process.
#include "sentry/self_confinement.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace sandbox {

namespace {

// Acting for any of the workload's ids on files, reading and signalling its processes, its limits and its
// CPU affinity, mounts that it may ask for. Everything else the kernel need not give us any more.
constexpr int kKept[] = {CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,       CAP_FSETID,
                         CAP_KILL,       CAP_SETGID,       CAP_SETUID,          CAP_SETFCAP,      CAP_SYS_PTRACE,
                         CAP_SYS_ADMIN,  CAP_SYS_RESOURCE, CAP_SYS_NICE,        CAP_LEASE,        CAP_MKNOD,
                         CAP_SYS_CHROOT};

}  // namespace

rlimit raise_descriptor_limit() {
  rlimit before{1024, 1024};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit raised{before.rlim_max, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

Result<void> set_descriptor_limit(pid_t host_pid, const rlimit& limit) {
  return host_status(::prlimit(host_pid, RLIMIT_NOFILE, &limit, nullptr));
}

Result<void> confine_sentry() {
  TRY(host_status(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  uint64_t kept = 0;
  for (int capability : kKept) kept |= uint64_t{1} << capability;
  for (int capability = 0; capability <= 63; ++capability) {
    if ((kept >> capability) & 1) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;   // past the last one, or not ours to drop
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  TRY(host_status(::syscall(SYS_capget, &header, sets.data())));
  for (size_t i = 0; i < sets.size(); ++i) {
    sets[i].effective &= static_cast<uint32_t>(kept >> (32 * i));
    sets[i].permitted = sets[i].effective;
    sets[i].inheritable = 0;
  }
  TRY(host_status(::syscall(SYS_capset, &header, sets.data())));
  return host_status(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

}  // namespace sandbox
