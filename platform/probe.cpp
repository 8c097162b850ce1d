// probe_engine: asks the kernel for what an engine needs, without starting anything.
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string_view>

#include "platform/filter.h"
#include "platform/host_file.h"
#include "platform/platform.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace sandbox::platform {

namespace {

struct KernelVersion {
  int major = 0, minor = 0;
  bool is_at_least(int wanted_major, int wanted_minor) const {
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
  }
};

KernelVersion kernel_version() {
  utsname name{};
  KernelVersion version;
  uname(&name);
  std::sscanf(name.release, "%d.%d", &version.major, &version.minor);
  return version;
}

bool has_action(uint32_t action) { return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0; }

// A known flag fails on the null program with EFAULT, an unknown one with EINVAL before that.
bool has_filter_flags(unsigned long flags) {
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, nullptr) < 0 && errno == EFAULT;
}

EngineSupport missing(const KernelVersion& version, std::string_view what) {
  return {false, fmt::format("Linux {}.{}: {}", version.major, version.minor, what)};
}

// Yama's strictest setting allows no tracer at all (ptrace(2), /proc/sys/kernel/yama/ptrace_scope).
bool is_ptrace_forbidden() {
  auto scope = read_host_file("/proc/sys/kernel/yama/ptrace_scope");
  return scope && scope->starts_with('3');
}

}  // namespace

EngineSupport probe_engine(EngineKind kind) {
  const KernelVersion version = kernel_version();
  if (is_ptrace_forbidden())
    return missing(version, "ptrace is switched off (kernel.yama.ptrace_scope is 3)");
  if (!has_action(SECCOMP_RET_TRACE)) return missing(version, "no seccomp filters with SECCOMP_RET_TRACE");
  if (kind == EngineKind::kPtrace) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max <= kReservedFd)
      return missing(version, fmt::format("a hard limit of {} open files, {} are needed (ulimit -Hn)",
                                          files.rlim_max, kReservedFd + 1));
    return {true, fmt::format("Linux {}.{}: PTRACE_SEIZE, SECCOMP_RET_TRACE", version.major, version.minor)};
  }
  if (!has_action(SECCOMP_RET_USER_NOTIF)) return missing(version, "no SECCOMP_RET_USER_NOTIF (Linux 5.0)");
  if (!version.is_at_least(5, 14)) return missing(version, "no SECCOMP_ADDFD_FLAG_SEND (Linux 5.14)");
  // Without it a signal abandons a call whose answer is on its way, and a restarted mkdir would find its own
  // work.
  if (!has_filter_flags(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) {
    return missing(version, "no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)");
  }
  return {true, fmt::format("Linux {}.{}: ADDFD, SEND, WAIT_KILLABLE_RECV{}", version.major, version.minor,
                            version.is_at_least(6, 6) ? ", SYNC_WAKE_UP" : "")};
}

}  // namespace sandbox::platform
