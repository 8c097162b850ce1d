// A small filter for the toy until the generated one is there: it traps a few calls that name paths.
#include "platform/filter.h"
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <cstddef>
#include <vector>
namespace sandbox::platform {
static std::vector<sock_filter> make(EngineKind kind) {
  std::vector<sock_filter> f;
  auto ld = [&](unsigned off) { f.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)); };
  auto ret = [&](unsigned v) { f.push_back(BPF_STMT(BPF_RET | BPF_K, v)); };
  ld(4);
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  ret(SECCOMP_RET_KILL_PROCESS);
  ld(0);
  auto on = [&](unsigned nr, unsigned act) { f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1)); ret(act); };
  unsigned em = kind == EngineKind::kNotify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRACE;
  on(SYS_execve, SECCOMP_RET_TRACE); on(SYS_execveat, SECCOMP_RET_TRACE); on(4242, em);
  for (unsigned nr : {SYS_open, SYS_openat, SYS_stat, SYS_lstat, SYS_newfstatat, SYS_statx, SYS_readlink, SYS_readlinkat, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_getcwd, SYS_chdir, SYS_statfs, SYS_unlink, SYS_unlinkat, SYS_mkdir}) on(nr, em);
  on(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  on(SYS_utimensat, SECCOMP_RET_ERRNO | ENOSYS);
  if (kind == EngineKind::kPtrace) {
    f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 0, 3));
    ld(16);
    f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kReservedFd, 0, 1)); ret(SECCOMP_RET_TRACE);
    ld(0);
  }
  ret(SECCOMP_RET_ALLOW);
  return f;
}
std::span<const sock_filter> filter_for(EngineKind kind) {
  static const auto p = make(EngineKind::kPtrace), n = make(EngineKind::kNotify);
  return kind == EngineKind::kPtrace ? p : n;
}
}
