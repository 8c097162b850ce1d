// Calls that must never reach the host kernel from inside a sandbox, by every door that leads to it.
#include "../guest/guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define NEEDS_SANDBOX() \
  do {                  \
    if (getenv("GUEST_SANDBOXED") == NULL) SKIP("only inside a sandbox"); \
  } while (0)

// Refused with an errno that a program may take for "this kernel has it not" or "not allowed".
#define DENIED(...)                                                                                        \
  do {                                                                                                     \
    errno = 0;                                                                                             \
    long denied_ = syscall(__VA_ARGS__);                                                                   \
    if (denied_ != -1 || (errno != ENOSYS && errno != EPERM && errno != EACCES))                           \
      GUEST_FAILED("syscall(%s) returned %ld, %s", #__VA_ARGS__, denied_, guest_errno_name(errno));        \
  } while (0)

// How a child that runs `body` ended: its exit status, or 1000 + the signal.
#define ENDED(...)                                                      \
  ({                                                                    \
    pid_t ended_ = guest_fork();                                        \
    if (ended_ == 0) {                                                  \
      __VA_ARGS__;                                                      \
      _exit(0);                                                         \
    }                                                                   \
    int ended_status_ = 0;                                              \
    waitpid(ended_, &ended_status_, 0);                                 \
    WIFEXITED(ended_status_) ? WEXITSTATUS(ended_status_) : 1000 + WTERMSIG(ended_status_); \
  })

static long int80(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

TEST(thirty_two_bit_entry) {
  NEEDS_SANDBOX();
  // getpid, open, mkdir, execve, socketcall by their i386 numbers.
  const int numbers[] = {20, 5, 39, 11, 102, 120, 322, 435};
  char* low = mmap((void*)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  REQUIRE(low != MAP_FAILED);
  strcpy(low, "int80-dir");
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    int ended = ENDED({
      long result = int80(numbers[i], (long)low, 0755, 0);
      _exit(result < 0 && result > -4096 ? 0 : 1);
    });
    // An error or a deadly signal, never a result.
    if (ended == 1) GUEST_FAILED("int 0x80 number %d succeeded", numbers[i]);
  }
  ERR(access("int80-dir", F_OK), ENOENT);
}

TEST(x32_numbers) {
  NEEDS_SANDBOX();
  int numbers[] = {0, 1, 2, 39, 59, 83, 257, 512, 520, 547, 435};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    int ended = ENDED({
      errno = 0;
      long result = syscall(0x40000000 | numbers[i], "x32-dir", 0755, 0);
      _exit(result == -1 && (errno == ENOSYS || errno == EPERM) ? 0 : 1);
    });
    if (ended != 0 && ended != 1000 + SIGSYS) GUEST_FAILED("x32 number %d ended with %d", numbers[i], ended);
  }
  ERR(access("x32-dir", F_OK), ENOENT);
}

TEST(numbers_nobody_knows) {
  NEEDS_SANDBOX();
  long numbers[] = {350, 423, 600, 1000, 4242, 0x3fffffff, -1, 0x100000027};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i)
    if (numbers[i] != 0x100000027) DENIED(numbers[i], 0, 0, 0, 0, 0, 0);
}

TEST(kernel_doors) {
  NEEDS_SANDBOX();
  char buffer[256] = {0};
  DENIED(425, 8, buffer);                        // io_uring_setup
  DENIED(426, 0, 0, 0, 0, 0, 0);                 // io_uring_enter
  DENIED(427, 0, 0, 0, 0);                       // io_uring_register
  DENIED(SYS_bpf, 0, buffer, sizeof buffer);
  DENIED(SYS_userfaultfd, 0);
  DENIED(SYS_perf_event_open, buffer, 0, -1, -1, 0);
  DENIED(SYS_add_key, "user", "k", "v", 1, -2);
  DENIED(SYS_request_key, "user", "k", NULL, 0);
  DENIED(SYS_keyctl, 0, -2, 0, 0, 0);
  DENIED(SYS_init_module, buffer, 1, "");
  DENIED(SYS_finit_module, 0, "", 0);
  DENIED(SYS_delete_module, "x", 0);
  DENIED(SYS_kexec_load, 0, 0, NULL, 0);
  DENIED(SYS_kexec_file_load, -1, -1, 0, NULL, 0);
  DENIED(SYS_reboot, 0xfee1dead, 0x28121969, 0, NULL);
  DENIED(SYS_swapon, "/x", 0);
  DENIED(SYS_swapoff, "/x");
  DENIED(SYS_acct, "/x");
  DENIED(SYS_quotactl, 0x800001, NULL, 0, NULL);
  DENIED(SYS_iopl, 3);
  DENIED(SYS_ioperm, 0, 1, 1);
  DENIED(SYS_settimeofday, buffer, NULL);
  DENIED(SYS_clock_settime, 0, buffer);
  DENIED(SYS_lookup_dcookie, 0, buffer, 10);
}

TEST(handles_and_other_processes) {
  NEEDS_SANDBOX();
  pid_t child = guest_fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  char byte;
  struct iovec local = {&byte, 1}, remote = {guest_self, 1};
  DENIED(SYS_open_by_handle_at, AT_FDCWD, guest_self, O_RDONLY);
  DENIED(SYS_process_vm_readv, child, &local, 1, &remote, 1, 0);
  DENIED(SYS_process_vm_writev, child, &local, 1, &remote, 1, 0);
  int fd = syscall(SYS_pidfd_open, child, 0);
  DENIED(SYS_pidfd_getfd, fd, 0, 0);
  DENIED(SYS_ptrace, PTRACE_ATTACH, child, 0, 0);
  DENIED(SYS_ptrace, PTRACE_SEIZE, child, 0, 0);
  DENIED(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

TEST(namespaces_and_mounts) {
  NEEDS_SANDBOX();
  const unsigned long flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80};
  for (int i = 0; i < 8; ++i) {
    int ended = ENDED({
      errno = 0;
      if (syscall(SYS_unshare, flags[i]) == 0) _exit(1);
      _exit(0);
    });
    if (ended != 0) GUEST_FAILED("unshare(0x%lx) ended with %d", flags[i], ended);
    ended = ENDED({
      // clone with a namespace flag
      long pid = syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);
      if (pid == 0) _exit(0);
      _exit(pid > 0 && flags[i] != 0x80 ? 1 : 0);
    });
    if (ended != 0) GUEST_FAILED("clone(0x%lx) ended with %d", flags[i], ended);
  }
  int ns = open("/proc/self/ns/mnt", O_RDONLY);
  DENIED(SYS_setns, ns, 0);
  CHECK(syscall(SYS_pivot_root, ".", ".") == -1);
  DENIED(428, AT_FDCWD, "/", 0);      // open_tree
  DENIED(429, -1, "", -1, "", 0);     // move_mount
  DENIED(430, "tmpfs", 0);            // fsopen
  DENIED(431, -1, 0, 0, 0, 0);        // fsconfig
  DENIED(432, -1, 0, 0);              // fsmount
  DENIED(433, AT_FDCWD, "/", 0);      // fspick
  DENIED(442, AT_FDCWD, "/", 0, 0, 0);  // mount_setattr
  struct {
    uint64_t flags, rest[10];
  } arguments = {.flags = 0};
  ERR(syscall(435, &arguments, sizeof arguments), ENOSYS);   // clone3: libc falls back to clone
}

TEST(filters_of_the_workload) {
  NEEDS_SANDBOX();
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_filter trace[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 1)};
  struct sock_filter notify[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
  struct sock_fprog allow_all = {1, allow}, trace_all = {1, trace}, notify_all = {1, notify};
  // A listener of the workload's own would answer in the sentry's place.
  int ended = ENDED({
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &notify_all);
    _exit(fd >= 0 ? 1 : 0);
  });
  CHECK_EQ(ended, 0);
  // A harmless filter may be added, and the sentry still answers.
  ended = ENDED({
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow_all) != 0) _exit(0);
    struct stat st;
    _exit(stat("/etc/passwd", &st) == 0 ? 0 : 1);
  });
  CHECK_EQ(ended, 0);
  // RET_TRACE on every call must not hide calls from the sentry or let them through.
  ended = ENDED({
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &trace_all) != 0 && prctl(PR_SET_SECCOMP, 2, &trace_all) != 0) _exit(0);
    syscall(425, 8, 0);
    int fd = open("/l", O_RDONLY);
    _exit(fd >= 0 && access("/l", F_OK) != 0 ? 1 : 0);
  });
  if (ended == 1) GUEST_FAILED("a RET_TRACE filter let calls past the sentry");
}

TEST(terminal_input_injection) {
  NEEDS_SANDBOX();
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(master >= 0);
  unlockpt(master);
  int ended = ENDED({
    setsid();
    int slave = open(ptsname(master), O_RDWR);
    ioctl(slave, TIOCSCTTY, 0);
    char byte = 'x';
    if (ioctl(slave, TIOCSTI, &byte) == 0) _exit(1);
    // High bits of the request are ignored by the kernel, so they must be by the filter.
    if (syscall(SYS_ioctl, slave, 0xffffffff00000000ul | TIOCSTI, &byte) == 0) _exit(2);
  });
  CHECK_EQ(ended, 0);
}

static int supervised(void* argument) {
  (void)argument;
  struct stat st;
  char link[PATH_MAX] = {0};
  // Only the sentry knows these files; to the kernel the root is empty.
  if (stat("/etc/passwd", &st) != 0) return 1;
  if (readlink("/proc/self/exe", link, sizeof link - 1) < 0 || strcmp(link, guest_self) != 0) return 2;
  if (open("/etc/passwd", O_RDONLY) < 0) return 3;
  return 0;
}

TEST(children_that_ask_not_to_be_traced) {
  NEEDS_SANDBOX();
  static char stack[1 << 16] __attribute__((aligned(16)));
  const int flags[] = {CLONE_UNTRACED, CLONE_UNTRACED | CLONE_FS | CLONE_FILES, CLONE_UNTRACED | CLONE_VM | CLONE_VFORK};
  for (int i = 0; i < 3; ++i) {
    pid_t child = clone(supervised, stack + sizeof stack, flags[i] | SIGCHLD, NULL);
    if (child < 0) continue;  // refused is as good
    int status;
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
  }
  // No exit signal, a parent of somebody else's choice, a thread-like process.
  pid_t child = clone(supervised, stack + sizeof stack, CLONE_PARENT | SIGCHLD, NULL);
  CHECK(child > 0 || errno == EINVAL || errno == EPERM);
  guest_sleep_ms(100);
  child = clone(supervised, stack + sizeof stack, 0, NULL);
  if (child > 0) {
    int status;
    OK(waitpid(child, &status, __WCLONE | __WALL));
    CHECK_EQ(status, 0);
  }
}

TEST(dumpable_and_tracers) {
  NEEDS_SANDBOX();
  OK(prctl(PR_SET_DUMPABLE, 0));
  struct stat st;
  OK(stat("/etc/passwd", &st));
  OK(open("/etc/passwd", O_RDONLY));
  prctl(PR_SET_PTRACER, -1);
  OK(prctl(PR_SET_DUMPABLE, 1));
}
