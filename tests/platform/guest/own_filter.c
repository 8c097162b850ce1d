// A seccomp filter under the sandbox's: no listener, and RET_TRACE or RET_ALLOW wins nothing. Prints what is wrong.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wrong;

static void expect(int holds, const char* what) {
  if (holds) return;
  ++wrong;
  printf("%s: errno %d\n", what, errno);
}

static long install(unsigned number, unsigned action, unsigned flags) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

int main(void) {
  struct stat info;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  errno = 0;
  expect(install(SYS_stat, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER) == -1 && errno == EBUSY,
         "a listener is refused");
  // The tracer gets stops it did not ask for, with a data word of the workload's choice.
  expect(install(SYS_getppid, SECCOMP_RET_TRACE | 77, 0) == 0, "trace getppid");
  expect(syscall(SYS_getppid) == -1 && errno == ENOSYS, "a traced call is ENOSYS");
  expect(install(SYS_execve, SECCOMP_RET_TRACE | 1234, 0) == 0, "trace execve");
  expect(install(SYS_openat, SECCOMP_RET_TRACE | 4242, 0) == 0, "trace openat");
  int fd = open("/etc/passwd", O_RDONLY);
  expect(fd >= 0, "open is still answered");
  expect(install(SYS_newfstatat, SECCOMP_RET_ALLOW, 0) == 0, "allow newfstatat");
  expect(fstatat(AT_FDCWD, "/etc/passwd", &info, 0) == 0 && info.st_size > 0, "stat is still answered");
  expect(install(SYS_openat, SECCOMP_RET_USER_NOTIF, 0) == 0, "notify openat");
  expect(install(SYS_mkdir, SECCOMP_RET_ERRNO | 42, 0) == 0, "refuse mkdir");
  expect(syscall(SYS_mkdir, "/", 0) == -1 && errno == 42, "a filter may refuse");
  static char plan[4096];
  expect(syscall(SYS_execve, plan, 0, plan, sizeof plan, 0, 0x9d3c71e5b84a206f) == -1 && errno == ENOSYS,
         "the loader's call is not for everybody");
  printf("wrong %d\n", wrong);
  fflush(stdout);
  return wrong != 0;
}
