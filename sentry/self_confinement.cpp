// Limits and capabilities of the sentry's own process.
#include "sentry/self_confinement.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace sandbox {

namespace {

// Acting for any of the workload's ids on files, reading and signalling its processes, its limits and its
// CPU affinity, mounts that it may ask for. Everything else the kernel need not give us any more.
constexpr int kKept[] = {CAP_CHOWN,    CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
                         CAP_FSETID,   CAP_KILL,         CAP_SETGID,          CAP_SETUID,
                         CAP_SETFCAP,  CAP_SYS_PTRACE,   CAP_SYS_ADMIN,       CAP_SYS_RESOURCE,
                         CAP_SYS_NICE, CAP_LEASE,        CAP_MKNOD,           CAP_SYS_CHROOT};

// What nobody has a use for who only answers calls, and what would serve someone who took the sentry over.
constexpr uint32_t kDenied[] = {
    SYS_execve,
    SYS_execveat,
    SYS_setns,
    SYS_unshare,
    SYS_pivot_root,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_open_by_handle_at,
    SYS_acct,
    SYS_quotactl,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_personality,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_syslog,
    SYS_fanotify_init,
    SYS_move_pages,
};
constexpr size_t kHeadSize = 7;
using OwnFilter = std::array<sock_filter, kHeadSize + std::size(kDenied) + 2>;

// Foreign calling conventions end the sentry; denied calls and every socket but AF_UNIX's get EPERM.
constexpr OwnFilter make_own_filter() {
  constexpr uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS, kEqual = BPF_JMP | BPF_JEQ | BPF_K,
                     kReturn = BPF_RET | BPF_K;
  OwnFilter filter{};
  const uint8_t deny = filter.size() - 1;
  filter[0] = {kLoad, 0, 0, offsetof(seccomp_data, arch)};
  filter[1] = {kEqual, 1, 0, AUDIT_ARCH_X86_64};
  filter[2] = {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS};
  filter[3] = {kLoad, 0, 0, offsetof(seccomp_data, nr)};
  filter[4] = {kEqual, 0, 2, SYS_socket};
  filter[5] = {kLoad, 0, 0, offsetof(seccomp_data, args)};
  filter[6] = {kEqual, static_cast<uint8_t>(deny - 1 - 6 - 1), static_cast<uint8_t>(deny - 6 - 1), AF_UNIX};
  for (size_t i = 0; i < std::size(kDenied); ++i) {
    const size_t at = kHeadSize + i;
    filter[at] = {kEqual, static_cast<uint8_t>(deny - at - 1), 0, kDenied[i]};
  }
  filter[deny - 1] = {kReturn, 0, 0, SECCOMP_RET_ALLOW};
  filter[deny] = {kReturn, 0, 0, SECCOMP_RET_ERRNO | EPERM};
  return filter;
}
constexpr OwnFilter kOwnFilter = make_own_filter();

Result<void> install_own_filter() {
  sock_fprog program{static_cast<unsigned short>(kOwnFilter.size()),
                     const_cast<sock_filter*>(kOwnFilter.data())};
  // It is no defence against ourselves that speculation barriers would have to protect.
  return host_status(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
}

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
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;  // past the last one, or not ours to drop
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
  TRY(host_status(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)));
  return install_own_filter();
}

}  // namespace sandbox
