// guest.h: what every guest program shares: named tests, checks that say what was wrong, a scratch directory.
//
// A guest is one C file of TEST(name) { ... } bodies. `GUEST DIR` runs each in a forked child whose working
// directory is a fresh DIR/GUEST.name, with a 20 s alarm; `GUEST DIR name...` runs only those, and
// `GUEST -1 DIR name` one without a fork, `GUEST -l` lists them. A line a test: ok, FAIL or skip. Exit 0, 1
// on a failure, 77 when every test was skipped. `GUEST @role ARGS` runs ROLE(role), for tests that exec
// themselves.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct guest_test {
  const char* name;
  void (*run)(void);
};
struct guest_role {
  const char* name;
  int (*run)(int argc, char** argv);
};

static struct guest_test guest_tests[128];
static int guest_test_count;
__attribute__((unused)) static struct guest_role guest_roles[32];
static int guest_role_count;
static const char* guest_name;                            // the guest's own name
static const char* guest_current = "";                    // the running test
static int guest_failures;                                // checks that failed in it
static char guest_self[PATH_MAX];                         // the program, for tests that exec themselves
__attribute__((unused)) static char guest_dir[PATH_MAX];  // the test's own directory, absolute

#define TEST(test)                                                 \
  static void test_##test(void);                                   \
  __attribute__((constructor)) static void register_##test(void) { \
    guest_tests[guest_test_count].name = #test;                    \
    guest_tests[guest_test_count++].run = test_##test;             \
  }                                                                \
  static void test_##test(void)

#define ROLE(role)                                                      \
  static int role_##role(int argc, char** argv);                        \
  __attribute__((constructor)) static void register_role_##role(void) { \
    guest_roles[guest_role_count].name = "@" #role;                     \
    guest_roles[guest_role_count++].run = role_##role;                  \
  }                                                                     \
  static int role_##role(int argc __attribute__((unused)), char** argv __attribute__((unused)))

// One write a line, so that lines of several processes do not mix.
__attribute__((format(printf, 1, 2), unused)) static void guest_say(const char* format, ...) {
  char line[1500];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(1, line, length) < 0) _exit(99);
}

static const char* guest_errno_name(int error) {
  const char* name = error == 0 ? "0" : strerrorname_np(error);
  return name == NULL ? "unknown errno" : name;
}

#define GUEST_FAILED(format, ...) \
  (guest_failures++,              \
   guest_say("  %s.%s: %s:%d: " format, guest_name, guest_current, __FILE_NAME__, __LINE__, ##__VA_ARGS__))

#define CHECK(condition) \
  ((condition) ? (void)0 : GUEST_FAILED("not true: %s (errno %s)", #condition, guest_errno_name(errno)))
#define CHECK_EQ(got, want)                                                                                \
  do {                                                                                                     \
    long long got_ = (long long)(got), want_ = (long long)(want);                                          \
    if (got_ != want_) GUEST_FAILED("%s is %lld (0x%llx), not %s = %lld", #got, got_, got_, #want, want_); \
  } while (0)
#define CHECK_STR(got, want)                                                                           \
  do {                                                                                                 \
    const char *got_ = (got), *want_ = (want);                                                         \
    if (strcmp(got_, want_) != 0) GUEST_FAILED("%s is \"%.300s\", not \"%.300s\"", #got, got_, want_); \
  } while (0)
// The call must succeed; its value.
#define OK(call)                                                                      \
  ({                                                                                  \
    errno = 0;                                                                        \
    long long ok_ = (long long)(call);                                                \
    if (ok_ == -1) GUEST_FAILED("%s failed with %s", #call, guest_errno_name(errno)); \
    ok_;                                                                              \
  })
// The call must fail with exactly this errno.
#define ERR(call, error)                                                                    \
  do {                                                                                      \
    errno = 0;                                                                              \
    long long ret_ = (long long)(call);                                                     \
    int errno_ = errno;                                                                     \
    if (ret_ != -1)                                                                         \
      GUEST_FAILED("%s returned %lld instead of %s", #call, ret_, guest_errno_name(error)); \
    else if (errno_ != (error))                                                             \
      GUEST_FAILED("%s failed with %s instead of %s", #call, guest_errno_name(errno_),      \
                   guest_errno_name(error));                                                \
  } while (0)
// As OK and CHECK, but the test cannot go on without it.
#define MUST(call)                                                                  \
  ({                                                                                \
    errno = 0;                                                                      \
    long long must_ = (long long)(call);                                            \
    if (must_ == -1) {                                                              \
      GUEST_FAILED("%s failed with %s; giving up", #call, guest_errno_name(errno)); \
      guest_finish();                                                               \
    }                                                                               \
    must_;                                                                          \
  })
#define REQUIRE(condition)                                                                     \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      GUEST_FAILED("not true: %s (errno %s); giving up", #condition, guest_errno_name(errno)); \
      guest_finish();                                                                          \
    }                                                                                          \
  } while (0)
#define SKIP(format, ...)                                                       \
  do {                                                                          \
    guest_say("skip %s.%s: " format, guest_name, guest_current, ##__VA_ARGS__); \
    _exit(77);                                                                  \
  } while (0)
// Goes to the test's own subtree of what was there before the guests started (make_lower in tests/guest/run).
#define ENTER_LOWER(subtree)                                                        \
  do {                                                                              \
    if (getenv("GUEST_LOWER") == NULL) SKIP("no lower tree was made for this run"); \
    MUST(chdir(getenv("GUEST_LOWER")));                                             \
    MUST(chdir(subtree));                                                           \
  } while (0)
#define NEEDS_ROOT()                        \
  do {                                      \
    if (geteuid() != 0) SKIP("needs root"); \
  } while (0)

__attribute__((noreturn, unused)) static void guest_finish(void) { _exit(guest_failures == 0 ? 0 : 1); }

// Gives up root for good when the caller is root; an ordinary user stays who it is.
__attribute__((unused)) static void guest_become(uid_t uid) {
  if (geteuid() != 0) return;
  if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, uid, uid, uid) != 0 ||
      syscall(SYS_setresuid, uid, uid, uid) != 0)
    GUEST_FAILED("cannot become uid %d: %s", (int)uid, guest_errno_name(errno));
}

// fork(2) whose child cannot outlive the test for long: it has an alarm of its own.
__attribute__((unused)) static pid_t guest_fork(void) {
  pid_t child = fork();
  if (child == 0) alarm(15);
  if (child < 0) {
    // Nobody may go on to kill(-1).
    GUEST_FAILED("fork failed with %s; giving up", guest_errno_name(errno));
    guest_finish();
  }
  return child;
}

// Runs `body` in a child whose failed checks count as this test's; its exit status.
#define IN_CHILD(...)                                             \
  do {                                                            \
    fflush(NULL);                                                 \
    pid_t child_ = guest_fork();                                  \
    if (child_ == 0) {                                            \
      guest_failures = 0;                                         \
      __VA_ARGS__;                                                \
      guest_finish();                                             \
    }                                                             \
    int status_ = 0;                                              \
    REQUIRE(child_ > 0);                                          \
    MUST(waitpid(child_, &status_, 0));                           \
    if (!WIFEXITED(status_))                                      \
      GUEST_FAILED("child died of signal %d", WTERMSIG(status_)); \
    else if (WEXITSTATUS(status_) == 77)                          \
      _exit(77);                                                  \
    else if (WEXITSTATUS(status_) != 0)                           \
      guest_failures++;                                           \
  } while (0)

__attribute__((unused)) static void guest_write_file(const char* path, const char* content) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
    GUEST_FAILED("cannot write %s: %s", path, guest_errno_name(errno));
  if (fd >= 0) close(fd);
}

// The file's content, NUL terminated, in one of four static buffers; "" and a failure when it cannot be read.
__attribute__((unused)) static char* guest_read_file(const char* path) {
  static char buffers[4][1 << 17];
  static int turn;
  char* buffer = buffers[turn++ & 3];
  buffer[0] = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    GUEST_FAILED("cannot open %s: %s", path, guest_errno_name(errno));
    return buffer;
  }
  size_t have = 0;
  ssize_t got;
  while (have < sizeof buffers[0] - 1 && (got = read(fd, buffer + have, sizeof buffers[0] - 1 - have)) > 0)
    have += got;
  if (got < 0) GUEST_FAILED("cannot read %s: %s", path, guest_errno_name(errno));
  buffer[have] = 0;
  close(fd);
  return buffer;
}

__attribute__((unused)) static void guest_sleep_ms(int milliseconds) { usleep(milliseconds * 1000); }

// For what others do, in their own time. A failure when it is still not true after ten seconds.
#define WAIT_UNTIL(condition)                                            \
  do {                                                                   \
    for (int i_ = 0; i_ < 500 && !(condition); ++i_) guest_sleep_ms(20); \
    CHECK(condition);                                                    \
  } while (0)

static int guest_run_here(const struct guest_test* test, const char* dir) {
  guest_current = test->name;
  guest_failures = 0;
  snprintf(guest_dir, sizeof guest_dir, "%s/%s.%s", dir, guest_name, test->name);
  umask(022);
  if (mkdir(guest_dir, 0777) != 0 && errno != EEXIST) {
    guest_say("  %s.%s: cannot make %s: %s", guest_name, test->name, guest_dir, guest_errno_name(errno));
    return 1;
  }
  chmod(guest_dir, 0777);
  if (chdir(guest_dir) != 0) {
    guest_say("  %s.%s: cannot enter %s: %s", guest_name, test->name, guest_dir, guest_errno_name(errno));
    return 1;
  }
  alarm(20);
  test->run();
  alarm(0);
  return guest_failures == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  const char* slash = strrchr(argv[0], '/');
  guest_name = slash == NULL ? argv[0] : slash + 1;
  for (int i = 0; argc > 1 && i < guest_role_count; ++i)
    if (strcmp(argv[1], guest_roles[i].name) == 0) return guest_roles[i].run(argc, argv);
  if (argc > 1 && strcmp(argv[1], "-l") == 0) {
    for (int i = 0; i < guest_test_count; ++i) guest_say("%s", guest_tests[i].name);
    return 0;
  }
  int is_forkless = argc > 1 && strcmp(argv[1], "-1") == 0;
  int first = 1 + is_forkless;
  const char* dir = argc > first ? argv[first] : getenv("GUEST_DIR");
  if (dir == NULL) {
    fprintf(stderr, "usage: %s [-1] DIRECTORY [TEST...]\n", argv[0]);
    return 2;
  }
  if (argv[0][0] == '/' || realpath(argv[0], guest_self) == NULL)
    snprintf(guest_self, sizeof guest_self, "%s", argv[0]);
  setvbuf(stdout, NULL, _IONBF, 0);

  int failed = 0, passed = 0, skipped = 0;
  for (int i = 0; i < guest_test_count; ++i) {
    int is_wanted = argc <= first + 1;
    for (int j = first + 1; j < argc; ++j) is_wanted |= strcmp(argv[j], guest_tests[i].name) == 0;
    if (!is_wanted) continue;
    if (is_forkless) return guest_run_here(&guest_tests[i], dir);
    guest_say("run  %s.%s", guest_name, guest_tests[i].name);
    pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      _exit(guest_run_here(&guest_tests[i], dir));
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) {
      guest_say("FAIL %s.%s: cannot fork or wait: %s", guest_name, guest_tests[i].name,
                guest_errno_name(errno));
      failed++;
      continue;
    }
    kill(-child, SIGKILL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      guest_say("ok   %s.%s", guest_name, guest_tests[i].name);
      passed++;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
      skipped++;
    } else {
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        guest_say("  %s.%s: hung for 20 s", guest_name, guest_tests[i].name);
      else if (WIFSIGNALED(status))
        guest_say("  %s.%s: died of signal %d", guest_name, guest_tests[i].name, WTERMSIG(status));
      else if (WEXITSTATUS(status) != 1)
        guest_say("  %s.%s: exited with %d", guest_name, guest_tests[i].name, WEXITSTATUS(status));
      guest_say("FAIL %s.%s", guest_name, guest_tests[i].name);
      failed++;
    }
  }
  guest_say("done %s: %d passed, %d failed, %d skipped", guest_name, passed, failed, skipped);
  return failed != 0 ? 1 : passed == 0 && skipped != 0 ? 77 : 0;
}
