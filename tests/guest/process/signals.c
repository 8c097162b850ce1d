// Signals around emulated calls: nothing is lost, nothing is interrupted that Linux would not interrupt.
#include "../guest.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t ticks, last_pid, last_code;
static void on_tick(int number) {
  (void)number;
  ticks++;
}
static void on_info(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  last_pid = info->si_pid;
  last_code = info->si_code;
  ticks++;
}

static void start_timer(int flags) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = flags};
  OK(sigaction(SIGALRM, &action, NULL));
  alarm(0);
  struct itimerval every = {{0, 500}, {0, 500}};
  OK(setitimer(ITIMER_REAL, &every, NULL));
}
static void stop_timer(void) {
  struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
}

// Calls that Linux never interrupts give no EINTR, even at 2 kHz without SA_RESTART.
TEST(no_spurious_interruptions) {
  guest_write_file("f", "x");
  OK(symlink("f", "l"));
  OK(mkdir("d", 0755));
  start_timer(0);
  struct stat st;
  char buffer[64];
  int wrong = 0;
  for (int rounds = 0; rounds < 200 || ticks < 500; ++rounds) {
    wrong += stat("f", &st) != 0;
    wrong += stat("missing", &st) != -1 || errno != ENOENT;
    int fd = open("f", O_RDWR);
    wrong += fd < 0;
    wrong += fstat(fd, &st) != 0;
    close(fd);
    wrong += readlink("l", buffer, sizeof buffer) != 1;
    wrong += access("f", R_OK) != 0;
    wrong += getcwd(buffer, 4) != NULL || errno != ERANGE;
    wrong += rename("d", "e") != 0;
    wrong += rename("e", "d") != 0;
    wrong += mkdir("n", 0755) != 0;
    wrong += rmdir("n") != 0;
    fd = open("n", O_CREAT | O_EXCL | O_WRONLY, 0600);
    wrong += fd < 0;
    close(fd);
    wrong += unlink("n") != 0;
  }
  stop_timer();
  CHECK_EQ(wrong, 0);
}

TEST(forks_under_a_timer) {
  start_timer(SA_RESTART);
  for (int i = 0; i < 20; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      stop_timer();
      execl("/bin/true", "true", NULL);
      _exit(1);
    }
    int status;
    REQUIRE(child > 0);
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
  }
  stop_timer();
}

TEST(blocking_calls_are_interrupted) {
  struct sigaction action = {.sa_handler = on_tick};
  OK(sigaction(SIGALRM, &action, NULL));
  alarm(0);
  int pair[2];
  char byte;
  MUST(pipe(pair));
  // Again and again: a signal that comes before its call is none that interrupts it.
  struct itimerval every = {{0, 50000}, {0, 50000}};
  OK(setitimer(ITIMER_REAL, &every, NULL));
  ERR(read(pair[0], &byte, 1), EINTR);
  ERR(pause(), EINTR);
  ERR(poll(NULL, 0, 15000), EINTR);
  struct timespec wait = {15, 0}, left = {0, 0};
  ERR(nanosleep(&wait, &left), EINTR);
  stop_timer();
  CHECK(left.tv_sec > 0 && left.tv_sec < 15);
  CHECK(ticks >= 4);
}

static int told[2];
static void on_tick_tell(int number) {
  on_tick(number);
  if (write(told[1], "t", 1) != 1) abort();
}

TEST(restart_continues) {
  struct sigaction action = {.sa_handler = on_tick_tell, .sa_flags = SA_RESTART};
  OK(sigaction(SIGALRM, &action, NULL));
  alarm(0);
  int pair[2];
  MUST(pipe(pair));
  MUST(pipe(told));
  pid_t child = guest_fork();
  if (child == 0) {
    char tick;
    _exit(read(told[0], &tick, 1) == 1 && write(pair[1], "x", 1) == 1 ? 0 : 1);
  }
  struct itimerval soon = {{0, 0}, {0, 50000}};
  OK(setitimer(ITIMER_REAL, &soon, NULL));
  char byte;
  CHECK_EQ(read(pair[0], &byte, 1), 1);
  CHECK_EQ(ticks, 1);
  OK(waitpid(child, NULL, 0));
}

TEST(information) {
  struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART};
  OK(sigaction(SIGUSR1, &action, NULL));
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(last_pid, getpid());
  CHECK_EQ(last_code, SI_USER);
  pid_t child = guest_fork();
  if (child == 0) {
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  OK(waitpid(child, NULL, 0));
  CHECK_EQ(last_pid, child);
  OK(raise(SIGUSR1));
  CHECK_EQ(last_code, SI_TKILL);
  CHECK_EQ(ticks, 3);
  union sigval value = {.sival_int = 5};
  OK(sigqueue(getpid(), SIGUSR1, value));
  CHECK_EQ(last_code, SI_QUEUE);
}

TEST(faults_are_handled) {
  static volatile sig_atomic_t faults;
  void handler(int number, siginfo_t* info, void* context) {
    (void)number;
    faults++;
    CHECK((uintptr_t)info->si_addr == 0x1000);
    // Skips the two-byte load below.
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
  }
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &action, NULL));
  __asm__ volatile("mov $0x1000, %%eax; .byte 0x8b, 0x00" ::: "rax", "memory");  // mov (%rax),%eax
  CHECK_EQ(faults, 1);
}

TEST(deaths_are_reported) {
  int signals[] = {SIGSEGV, SIGABRT, SIGTERM, SIGKILL, SIGILL};
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (int i = 0; i < 5; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      if (signals[i] == SIGSEGV) *(volatile int*)8 = 1;
      raise(signals[i]);
      _exit(0);
    }
    int status;
    OK(waitpid(child, &status, 0));
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), signals[i]);
  }
}

TEST(masks_pending_and_sigwait) {
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(raise(SIGUSR2));
  OK(sigpending(&pending));
  CHECK_EQ(sigismember(&pending, SIGUSR2), 1);
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
  struct timespec soon = {0, 10000000};
  ERR(sigtimedwait(&set, &info, &soon), EAGAIN);
  int fd = MUST(signalfd(-1, &set, SFD_NONBLOCK));
  OK(raise(SIGUSR2));
  struct signalfd_siginfo from_fd;
  CHECK_EQ(read(fd, &from_fd, sizeof from_fd), sizeof from_fd);
  CHECK_EQ(from_fd.ssi_signo, SIGUSR2);
}

TEST(alternate_stack) {
  static char stack[65536];
  static volatile int on_it;
  void handler(int number) {
    (void)number;
    char here;
    on_it = &here >= stack && &here < stack + sizeof stack;
    struct stat st;
    if (stat("/etc/passwd", &st) != 0) on_it = 0;
  }
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  OK(sigaltstack(&alternate, NULL));
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  OK(sigaction(SIGUSR1, &action, NULL));
  OK(raise(SIGUSR1));
  CHECK_EQ(on_it, 1);
}

TEST(handlers_may_make_calls) {
  guest_write_file("f", "x");
  static volatile int bad;
  void handler(int number) {
    (void)number;
    struct stat st;
    int saved = errno;
    if (stat("f", &st) != 0) bad++;
    int fd = open("f", O_RDONLY);
    if (fd < 0) bad++;
    close(fd);
    errno = saved;
  }
  struct sigaction action = {.sa_handler = handler};
  OK(sigaction(SIGALRM, &action, NULL));
  alarm(0);
  struct itimerval every = {{0, 1000}, {0, 1000}};
  OK(setitimer(ITIMER_REAL, &every, NULL));
  struct stat st;
  int wrong = 0;
  for (int i = 0; i < 3000; ++i) wrong += stat("missing", &st) != -1 || errno != ENOENT;
  stop_timer();
  CHECK_EQ(wrong, 0);
  CHECK_EQ(bad, 0);
}

TEST(errors) {
  ERR(kill(getpid(), 99), EINVAL);
  ERR(kill(999999, 0), ESRCH);
  OK(kill(getpid(), 0));
  struct sigaction action = {.sa_handler = on_tick};
  ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
  ERR(syscall(SYS_tgkill, getpid(), 999999, SIGUSR1), ESRCH);
}

static void* blocks_in_read(void* argument) {
  char byte;
  int* fds = argument;
  return (void*)(long)(read(fds[0], &byte, 1) == -1 ? errno : 0);
}
TEST(threads_get_their_own) {
  struct sigaction action = {.sa_handler = on_tick};
  OK(sigaction(SIGUSR1, &action, NULL));
  int pair[2];
  MUST(pipe(pair));
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, blocks_in_read, pair) == 0);
  void* result;
  // A signal that comes before the read does not interrupt it.
  while (pthread_tryjoin_np(thread, &result) == EBUSY) {
    guest_sleep_ms(50);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
  }
  CHECK_EQ((long)result, EINTR);
}

TEST(limit_of_core_files) {
  struct rlimit lower = {100, 5000}, lowest = {0, 0}, old = {7, 7}, wrong = {1, 0};
  if (getrlimit(RLIMIT_CORE, &old) == 0 && old.rlim_max < lower.rlim_max) SKIP("the hard limit is too low");
  ERR(setrlimit(RLIMIT_CORE, &wrong), EINVAL);
  OK(setrlimit(RLIMIT_CORE, &lower));
  OK(getrlimit(RLIMIT_CORE, &old));
  CHECK(old.rlim_cur == 100 && old.rlim_max == 5000);
  OK(syscall(SYS_getrlimit, RLIMIT_CORE, &old));
  CHECK(old.rlim_cur == 100 && old.rlim_max == 5000);
  pid_t child = fork();
  if (child == 0) {
    int is_inherited = getrlimit(RLIMIT_CORE, &old) == 0 && old.rlim_cur == 100 && old.rlim_max == 5000;
    // Of another process, whose user is the same.
    int is_set = prlimit(getppid(), RLIMIT_CORE, &lowest, &old) == 0 && old.rlim_max == 5000;
    _exit(is_inherited && is_set ? 0 : 1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  OK(prlimit(getpid(), RLIMIT_CORE, NULL, &old));
  CHECK(old.rlim_cur == 0 && old.rlim_max == 0);
  FILE* limits = fopen("/proc/self/limits", "r");
  REQUIRE(limits != NULL);
  char line[200];
  int is_shown = 0;
  while (fgets(line, sizeof line, limits) != NULL)
    is_shown |= strcmp(line, "Max core file size        0                    0                    bytes     \n") == 0;
  fclose(limits);
  CHECK(is_shown);
  ERR(prlimit(999999, RLIMIT_CORE, NULL, &old), ESRCH);
  ERR(syscall(SYS_setrlimit, RLIMIT_CORE, NULL), EFAULT);
  ERR(syscall(SYS_getrlimit, RLIMIT_CORE, NULL), EFAULT);
  struct rlimit more = {1, RLIM_INFINITY};
  if (getenv("GUEST_SANDBOXED") != NULL || geteuid() != 0) ERR(setrlimit(RLIMIT_CORE, &more), EPERM);
}
