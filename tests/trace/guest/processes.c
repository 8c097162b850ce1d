// Calls on processes, limits, scheduling, signals, time and memory.
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int signal) { (void)signal; }
static uint32_t word;

static void children(void) {
  int status;
  if (fork() == 0) _exit(3);
  wait4(-1, &status, 0, NULL);
  if (fork() == 0) raise(SIGKILL), pause();
  waitpid(-1, &status, WUNTRACED);
  if (fork() == 0) _exit(0);
  siginfo_t info;
  struct rusage usage;
  syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOWAIT, &usage);
  wait4(-1, NULL, 0, NULL);
  wait4(-1, &status, WNOHANG, &usage);
}

static void signals(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, &old);
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  sigprocmask(SIG_SETMASK, &old, NULL);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGPIPE, NULL, &action);
  signal(SIGUSR2, SIG_IGN);
  kill(getpid(), 0);
  raise(SIGUSR1);
  sigaction(99, NULL, NULL);
  sigset_t pending;
  sigpending(&pending);
  struct timespec none = {0, 0};
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigtimedwait(&set, &info, &none);
  stack_t stack;
  sigaltstack(NULL, &stack);
  stack_t larger = {.ss_sp = malloc(8192), .ss_size = 8192, .ss_flags = 0};
  sigaltstack(&larger, NULL);
  signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void clocks(void) {
  struct timespec time, half = {0, 1000};
  clock_getres(CLOCK_MONOTONIC, &time);
  syscall(SYS_clock_getres, CLOCK_TAI, NULL);
  syscall(SYS_clock_getres, 77, &time);
  nanosleep(&half, &time);
  clock_nanosleep(CLOCK_MONOTONIC, 0, &half, NULL);
  struct itimerval none = {0}, old;
  setitimer(ITIMER_REAL, &none, &old);
  getitimer(ITIMER_VIRTUAL, &old);
  alarm(0);
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec spec = {{1, 2}, {3, 4}};
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 5};
  syscall(SYS_timer_create, CLOCK_REALTIME, &event, &timer);
  struct itimerspec stopped = {0};
  syscall(SYS_timer_settime, 0, TIMER_ABSTIME, &stopped, NULL);
  syscall(SYS_timer_delete, 0);
}

static void limits(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  prlimit(0, RLIMIT_CORE, NULL, &limit);
  setrlimit(RLIMIT_CORE, &limit);
  syscall(SYS_prlimit64, 0, 99, NULL, NULL);
  struct utsname name;
  uname(&name);
  sched_yield();
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  sched_getscheduler(0);
  struct sched_param parameter;
  sched_getparam(0, &parameter);
  sched_get_priority_max(SCHED_FIFO);
  syscall(SYS_sched_getattr, 0, &(char[56]){0}, 56, 0);
  getpriority(PRIO_PROCESS, 0);
  setpriority(PRIO_PROCESS, 0, 0);
  personality(0xffffffff);
  gid_t groups[3];
  getgroups(0, NULL);
  setgroups(0, NULL);
  uid_t a, b, c;
  getresuid(&a, &b, &c);
  setreuid(-1, -1);
  setresuid(-1, -1, -1);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  syscall(SYS_capget, &header, data);
  (void)groups;
}

static void attributes(void) {
  prctl(PR_SET_NAME, "a name that is too long");
  char name[16];
  prctl(PR_GET_NAME, name);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  int number;
  prctl(PR_GET_PDEATHSIG, &number);
  prctl(PR_GET_DUMPABLE);
  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_GET_KEEPCAPS);
  prctl(PR_GET_SECCOMP);
  prctl(PR_CAPBSET_READ, CAP_NET_RAW);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  prctl(PR_SET_TIMERSLACK, 50000);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  prctl(PR_GET_CHILD_SUBREAPER, &number);
  prctl(7777, 1, 2, 3, 4);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 500, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, code};
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
  syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_TRACE});
}

static void memory(void) {
  char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  mprotect(area, 4096, PROT_NONE);
  mprotect(area, 4096, PROT_READ | PROT_EXEC);
  madvise(area, 4096, MADV_DONTNEED);
  madvise(area, 4096, 999);
  msync(area, 4096, MS_SYNC | MS_INVALIDATE);
  area = mremap(area, 8192, 4096, MREMAP_MAYMOVE);
  mlock(area, 4096);
  munlock(area, 4096);
  mmap((void *)1, 0, 0x8f, 0x40022, -1, 4096);
  munmap(area, 4096);
  munmap((void *)1, 1);
  sbrk(0);
  int fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ftruncate(fd, 4096);
  mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  getrandom(&word, 4, GRND_NONBLOCK | GRND_RANDOM);
}

static void futexes(void) {
  struct timespec none = {0, 1};
  word = 1;
  syscall(SYS_futex, &word, FUTEX_WAIT, 2, NULL);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &none);
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 2, NULL, NULL, FUTEX_BITSET_MATCH_ANY);
  syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 6);
  syscall(SYS_futex, &word, FUTEX_REQUEUE_PRIVATE, 1, 2, &word);
  syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &word, 7);
  syscall(SYS_futex, &word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &word, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 1));
  syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI);
  syscall(SYS_futex, &word, 99, 1, 2, 3, 4);
}

int main(void) {
  children();
  signals();
  clocks();
  limits();
  memory();
  futexes();
  attributes();
  syscall(999, 1, 2, 3);
  return 5;
}
