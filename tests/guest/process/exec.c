// execve(2) and execveat(2): every kind of program, `#!` chains, errors, and what survives.
#include "../guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>

extern char** environ;

// The helpers beside this program, built static, position dependent and both.
static const char* helper(const char* name) {
  static char path[PATH_MAX + 64];
  snprintf(path, sizeof path, "%s", guest_self);
  snprintf(strrchr(path, '/'), 64, "/helper_%s", name);
  return path;
}

static int run(const char* path, char** arguments, char** environment) {
  pid_t child = guest_fork();
  if (child == 0) {
    execve(path, arguments, environment);
    _exit(errno == 0 ? 250 : 100 + errno);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Runs a program with its output in a buffer.
static const char* output_of(const char* path, char** arguments, char** environment) {
  static char text[8192];
  int pair[2];
  memset(text, 0, sizeof text);
  MUST(pipe2(pair, O_CLOEXEC));
  pid_t child = guest_fork();
  if (child == 0) {
    dup2(pair[1], 1);
    execve(path, arguments, environment);
    dprintf(1, "%s", guest_errno_name(errno));
    _exit(127);
  }
  close(pair[1]);
  size_t have = 0;
  ssize_t got;
  while ((got = read(pair[0], text + have, sizeof text - 1 - have)) > 0) have += got;
  close(pair[0]);
  waitpid(child, NULL, 0);
  return text;
}

static void script(const char* path, const char* content) {
  guest_write_file(path, content);
  OK(chmod(path, 0755));
}

ROLE(arguments) {
  for (int i = 0; i < argc; ++i) printf("[%s]", argv[i]);
  return 0;
}
ROLE(environment) {
  for (char** entry = environ; *entry != NULL; ++entry) printf("%s;", *entry);
  return 0;
}
ROLE(descriptors) {
  for (int i = 3; i < 40; ++i)
    if (fcntl(i, F_GETFD) >= 0) printf("%d ", i);
  return 0;
}
ROLE(count) {
  size_t total = 0;
  for (int i = 0; i < argc; ++i) total += strlen(argv[i]);
  printf("%d %zu", argc, total);
  return 0;
}
ROLE(where) {
  char exe[PATH_MAX] = {0}, cwd[PATH_MAX];
  if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0 || getcwd(cwd, sizeof cwd) == NULL) return 1;
  printf("%s %s %s %o", exe, (char*)getauxval(AT_EXECFN), cwd, umask(0));
  return 0;
}
ROLE(signals) {
  struct sigaction action;
  sigset_t mask;
  sigaction(SIGUSR1, NULL, &action);
  printf("%s ", action.sa_handler == SIG_DFL ? "default" : "other");
  sigaction(SIGUSR2, NULL, &action);
  printf("%s ", action.sa_handler == SIG_IGN ? "ignored" : "other");
  sigprocmask(SIG_BLOCK, NULL, &mask);
  printf("%s", sigismember(&mask, SIGHUP) ? "blocked" : "open");
  return 0;
}
ROLE(pid) {
  printf("%d", getpid());
  return 0;
}

TEST(kinds_of_programs) {
  const char* kinds[] = {"dynamic", "static", "nopie", "static_pie", "static_nopie"};
  for (int i = 0; i < 5; ++i) {
    const char* path = helper(kinds[i]);
    if (access(path, X_OK) != 0) {
      GUEST_FAILED("%s was not built", path);
      continue;
    }
    CHECK_STR(output_of(path, (char*[]){"name", "two", NULL}, (char*[]){"A=1", NULL}), "name two A=1 tls=7 bss=0 ctor=1\n");
  }
}

TEST(arguments_and_environment) {
  CHECK_STR(output_of(guest_self, (char*[]){"zero", "@arguments", "", "a b", "\n", NULL}, environ), "[zero][@arguments][][a b][\n]");
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@environment", NULL}, (char*[]){"B=2", "A=", "=odd", "none", NULL}), "B=2;A=;=odd;none;");
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@environment", NULL}, (char*[]){NULL}), "");
}

TEST(large_arguments) {
  static char* arguments[1600];
  static char argument[1001];
  memset(argument, 'a', 1000);
  arguments[0] = "x";
  arguments[1] = "@count";
  for (int i = 2; i < 1502; ++i) arguments[i] = argument;
  arguments[1502] = NULL;
  CHECK_STR(output_of(guest_self, arguments, (char*[]){NULL}), "1502 1500007");
  static char big[(128 << 10) + 2];
  memset(big, 'b', (128 << 10) - 1);
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@count", big, NULL}, (char*[]){NULL}), "3 131078");
  big[(128 << 10) - 1] = 'b';
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@count", big, NULL}, (char*[]){NULL}), "E2BIG");
  CHECK_STR(output_of(guest_self, (char*[]){"x", NULL}, (char*[]){big, NULL}), "E2BIG");
}

TEST(too_large_together) {
  static char* arguments[4000];
  static char argument[1001];
  memset(argument, 'a', 1000);
  for (int i = 0; i < 3000; ++i) arguments[i] = argument;
  struct rlimit limit = {8 << 20, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &limit);
  CHECK_EQ(run(guest_self, arguments, (char*[]){NULL}), 100 + E2BIG);
}

TEST(scripts) {
  script("plain", "#!/bin/sh\necho \"$0|$1\"\n");
  CHECK_STR(output_of("./plain", (char*[]){"ignored", "arg", NULL}, environ), "./plain|arg\n");
  char content[PATH_MAX + 64];
  snprintf(content, sizeof content, "#!%s @arguments\n", guest_self);
  script("one", content);
  char want[PATH_MAX + 64];
  snprintf(want, sizeof want, "[%s][@arguments][./one][x]", guest_self);
  CHECK_STR(output_of("./one", (char*[]){"zero", "x", NULL}, environ), want);
  snprintf(content, sizeof content, "#! \t%s   @arguments two  words \t\nrest", guest_self);
  script("spaces", content);
  snprintf(want, sizeof want, "[%s][@arguments two  words][./spaces]", guest_self);
  // The one argument keeps its inner blanks; only the role does not match then.
  const char* got = output_of("./spaces", (char*[]){"zero", NULL}, environ);
  CHECK(strstr(got, "@arguments") == NULL || strcmp(got, want) == 0);
  script("no_newline", "#!/bin/true");
  CHECK_EQ(run("./no_newline", (char*[]){"x", NULL}, environ), 0);
  script("env", "#!/usr/bin/env sh\necho via env\n");
  CHECK_STR(output_of("./env", (char*[]){"x", NULL}, environ), "via env\n");
}

TEST(chains_of_scripts) {
  char content[PATH_MAX + 64];
  script("s0", "#!/bin/sh\necho \"end $*\"\n");
  for (int i = 1; i <= 6; ++i) {
    char name[8];
    snprintf(name, sizeof name, "s%d", i);
    snprintf(content, sizeof content, "#!%s/s%d a%d\n", guest_dir, i - 1, i);
    script(name, content);
  }
  char want[3 * PATH_MAX + 64];
  snprintf(want, sizeof want, "end a1 ./s1 x\n");
  CHECK_STR(output_of("./s1", (char*[]){"zero", "x", NULL}, environ), want);
  snprintf(want, sizeof want, "end a1 %s/s1 a2 ./s2\n", guest_dir);
  CHECK_STR(output_of("./s2", (char*[]){"zero", NULL}, environ), want);
  CHECK(strncmp(output_of("./s3", (char*[]){"zero", NULL}, environ), "end a1 ", 7) == 0);
  CHECK(strncmp(output_of("./s4", (char*[]){"zero", NULL}, environ), "end a1 ", 7) == 0);
  CHECK_STR(output_of("./s5", (char*[]){"zero", NULL}, environ), "ELOOP");
  CHECK_STR(output_of("./s6", (char*[]){"zero", NULL}, environ), "ELOOP");
}

TEST(errors) {
  char* arguments[] = {"x", NULL};
  guest_write_file("data", "neither ELF nor script\n");
  CHECK_EQ(run("data", arguments, environ), 100 + EACCES);
  OK(chmod("data", 0755));
  CHECK_EQ(run("./data", arguments, environ), 100 + ENOEXEC);
  script("empty", "");
  CHECK_EQ(run("./empty", arguments, environ), 100 + ENOEXEC);
  script("no_interpreter", "#!/missing/interpreter\n");
  CHECK_EQ(run("./no_interpreter", arguments, environ), 100 + ENOENT);
  script("interpreter_is_data", "#!./plaindata\n");
  guest_write_file("plaindata", "x");
  CHECK_EQ(run("./interpreter_is_data", arguments, environ), 100 + EACCES);
  script("no_name", "#!\n");
  CHECK_EQ(run("./no_name", arguments, environ), 100 + ENOEXEC);
  CHECK_EQ(run("./missing", arguments, environ), 100 + ENOENT);
  CHECK_EQ(run("data/x", arguments, environ), 100 + ENOTDIR);
  CHECK_EQ(run(".", arguments, environ), 100 + EACCES);
  CHECK_EQ(run("/", arguments, environ), 100 + EACCES);
  CHECK_EQ(run("", arguments, environ), 100 + ENOENT);
  OK(symlink("loop", "loop"));
  CHECK_EQ(run("loop", arguments, environ), 100 + ELOOP);
  OK(mkfifo("p", 0755));
  CHECK_EQ(run("p", arguments, environ), 100 + EACCES);
  CHECK_EQ(run("/dev/null", arguments, environ), 100 + EACCES);
  script("cut_elf", "\x7f" "ELF\x02\x01\x01");
  CHECK_EQ(run("./cut_elf", arguments, environ), 100 + ENOEXEC);
}

TEST(an_interpreter_that_is_missing) {
  // A copy of a dynamic program whose PT_INTERP names nothing.
  int in = MUST(open(helper("dynamic"), O_RDONLY)), out = MUST(open("bad", O_CREAT | O_RDWR, 0755));
  static char content[1 << 20];
  ssize_t size = MUST(read(in, content, sizeof content));
  char* interpreter = memmem(content, size, "/lib64/ld-linux", 15);
  REQUIRE(interpreter != NULL);
  memcpy(interpreter, "/lib65", 6);
  CHECK_EQ(write(out, content, size), size);
  OK(close(out));
  CHECK_EQ(run("./bad", (char*[]){"x", NULL}, environ), 100 + ENOENT);
}

TEST(permission_to_execute) {
  NEEDS_ROOT();
  script("s", "#!/bin/sh\nexit 9\n");
  OK(chmod("s", 0711));
  OK(mkdir("closed", 0700));
  script("closed/s", "#!/bin/sh\nexit 9\n");
  OK(chmod("s", 0744));
  IN_CHILD({
    guest_become(65534);
    CHECK_EQ(run("./s", ((char*[]){"x", NULL}), environ), 100 + EACCES);
    CHECK_EQ(run("closed/s", ((char*[]){"x", NULL}), environ), 100 + EACCES);
  });
  OK(chmod("s", 0644));
  CHECK_EQ(run("./s", (char*[]){"x", NULL}, environ), 100 + EACCES);
}

TEST(a_program_without_read_permission_runs) {
  CHECK_EQ(system("cp /bin/true t"), 0);
  OK(chmod("t", 0111));
  guest_become(65534);
  CHECK_EQ(run("./t", (char*[]){"x", NULL}, environ), 0);
}

TEST(busy_text) {
  CHECK_EQ(system("cp /bin/cat s"), 0);
  int writer = MUST(open("s", O_WRONLY));
  CHECK_EQ(run("./s", (char*[]){"x", "/dev/null", NULL}, environ), 100 + ETXTBSY);
  OK(close(writer));
  int in[2], out[2];
  MUST(pipe(in));
  MUST(pipe(out));
  pid_t child = guest_fork();
  if (child == 0) {
    if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1) execl("./s", "s", NULL);
    _exit(1);
  }
  close(out[1]);
  char byte;
  CHECK_EQ(write(in[1], "x", 1), 1);
  CHECK_EQ(read(out[0], &byte, 1), 1);  // it runs
  ERR(open("s", O_WRONLY), ETXTBSY);
  ERR(truncate("s", 0), ETXTBSY);
  kill(child, SIGKILL);
  OK(waitpid(child, NULL, 0));
  OK(open("s", O_WRONLY));
}

TEST(close_on_exec) {
  int a = MUST(open("/dev/null", O_RDONLY)), b = MUST(open("/dev/null", O_RDONLY | O_CLOEXEC)), c = MUST(open(".", O_RDONLY | O_CLOEXEC));
  OK(dup2(a, 20));
  OK(dup3(b, 21, O_CLOEXEC));
  (void)c;
  OK(close(a));
  const char* got = output_of(guest_self, (char*[]){"x", "@descriptors", NULL}, environ);
  CHECK(strstr(got, "20 ") != NULL && strstr(got, "21 ") == NULL);
}

TEST(what_survives) {
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  umask(0147);
  char want[3 * PATH_MAX + 64];
  snprintf(want, sizeof want, "%s %s %s/d 147", guest_self, guest_self, guest_dir);
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@where", NULL}, environ), want);
  signal(SIGUSR1, (void (*)(int))guest_sleep_ms);
  signal(SIGUSR2, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGHUP);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  CHECK_STR(output_of(guest_self, (char*[]){"x", "@signals", NULL}, environ), "default ignored blocked");
}

TEST(exe_through_links) {
  OK(symlink(guest_self, "link"));
  char want[3 * PATH_MAX + 64];
  snprintf(want, sizeof want, "%s ./link %s 22", guest_self, guest_dir);
  CHECK_STR(output_of("./link", (char*[]){"x", "@where", NULL}, environ), want);
  CHECK_STR(output_of("/proc/self/exe", (char*[]){"x", "@count", NULL}, environ), "2 7");
}

TEST(with_descriptors) {
  int fd = MUST(open(guest_self, O_RDONLY | O_CLOEXEC));
  IN_CHILD({
    dup2(open("/dev/null", O_WRONLY), 1);
    syscall(SYS_execveat, fd, "", (char*[]){"x", "@pid", NULL}, environ, AT_EMPTY_PATH);
    GUEST_FAILED("execveat failed with %s", guest_errno_name(errno));
  });
  int path = MUST(open(helper("static"), O_PATH));
  IN_CHILD({
    int sink = open("/dev/null", O_WRONLY);
    dup2(sink, 1);
    syscall(SYS_execveat, path, "", (char*[]){"x", "y", NULL}, environ, AT_EMPTY_PATH);
    _exit(1);
  });
  guest_write_file("f", "");
  int dir = MUST(open("/bin", O_RDONLY | O_DIRECTORY));
  IN_CHILD({
    syscall(SYS_execveat, dir, "true", (char*[]){"true", NULL}, environ, 0);
    _exit(1);
  });
  ERR(syscall(SYS_execveat, dir, "", (char*[]){"x", NULL}, environ, 0), ENOENT);
  ERR(syscall(SYS_execveat, dir, "", (char*[]){"x", NULL}, environ, AT_EMPTY_PATH), EACCES);
  ERR(syscall(SYS_execveat, 555, "x", (char*[]){"x", NULL}, environ, 0), EBADF);
  ERR(syscall(SYS_execveat, dir, "true", (char*[]){"x", NULL}, environ, 0x1000000), EINVAL);
  OK(symlink("/bin/true", "l"));
  ERR(syscall(SYS_execveat, AT_FDCWD, "l", (char*[]){"x", NULL}, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
  // A script behind a close-on-exec descriptor cannot be read by its interpreter.
  script("s", "#!/bin/sh\nexit 0\n");
  int cloexec = MUST(open("s", O_RDONLY | O_CLOEXEC));
  ERR(syscall(SYS_execveat, cloexec, "", (char*[]){"x", NULL}, environ, AT_EMPTY_PATH), ENOENT);
  int plain = MUST(open("s", O_RDONLY));
  IN_CHILD({
    syscall(SYS_execveat, plain, "", (char*[]){"x", NULL}, environ, AT_EMPTY_PATH);
    _exit(1);
  });
}

static void* execs(void* argument) {
  (void)argument;
  execl(guest_self, guest_self, "@pid", NULL);
  _exit(99);
}
static void* sleeps(void* argument) {
  for (;;) guest_sleep_ms(1000);
  return argument;
}
TEST(from_a_thread) {
  int pair[2];
  MUST(pipe2(pair, O_CLOEXEC));
  pid_t child = guest_fork();
  if (child == 0) {
    dup2(pair[1], 1);
    pthread_t thread;
    for (int i = 0; i < 4; ++i) pthread_create(&thread, NULL, sleeps, NULL);
    pthread_create(&thread, NULL, execs, NULL);
    sleeps(NULL);
  }
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  char text[32] = {0}, want[32];
  OK(read(pair[0], text, 31));
  snprintf(want, sizeof want, "%d", child);
  CHECK_STR(text, want);
}

static void exec_with_descriptor_limit(rlim_t soft, rlim_t hard) {
  IN_CHILD({
    struct rlimit limit = {soft, hard};
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 3; i < 100; ++i) close(i);
    close(1);
    MUST(open("/dev/null", O_WRONLY));
    execl(helper("static"), "x", "y", NULL);
    _exit(1);
  });
}

TEST(few_descriptors) { exec_with_descriptor_limit(3, 256); }
TEST(few_descriptors_for_good) { exec_with_descriptor_limit(3, 3); }

TEST(no_descriptors_at_all) {
  pid_t child = guest_fork();
  if (child == 0) {
    for (int i = 0; i < 1024; ++i) close(i);
    execl("/bin/true", "true", NULL);
    _exit(1);
  }
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(memory_files) {
  int fd = MUST(memfd_create("program", MFD_CLOEXEC)), in = MUST(open(helper("static"), O_RDONLY));
  static char content[4 << 20];
  ssize_t size = MUST(read(in, content, sizeof content));
  CHECK_EQ(write(fd, content, size), size);
  CHECK_STR(output_of("/proc/self/fd/missing", (char*[]){"x", NULL}, environ), "ENOENT");
  int pair[2];
  MUST(pipe2(pair, O_CLOEXEC));
  int reader = MUST(open("/proc/self/exe", O_RDONLY));
  close(reader);
  IN_CHILD({
    dup2(pair[1], 1);
    // Closing the writable descriptor first: ETXTBSY otherwise.
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = MUST(open(path, O_RDONLY));
    close(fd);
    fexecve(again, (char*[]){"mem", "fd", NULL}, (char*[]){"A=1", NULL});
    GUEST_FAILED("fexecve failed with %s", guest_errno_name(errno));
  });
  char text[128] = {0};
  OK(read(pair[0], text, 127));
  CHECK_STR(text, "mem fd A=1 tls=7 bss=0 ctor=1\n");
}

TEST(stack_limits) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_STACK, &limit) != 0) SKIP("cannot lift the stack limit");
  CHECK_STR(output_of(helper("dynamic"), (char*[]){"a", "b", NULL}, (char*[]){"A=1", NULL}), "a b A=1 tls=7 bss=0 ctor=1\n");
}

TEST(without_randomisation) {
  IN_CHILD({
    MUST(personality(ADDR_NO_RANDOMIZE));
    CHECK_STR(output_of(helper("dynamic"), ((char*[]){"a", "b", NULL}), ((char*[]){"A=1", NULL})), "a b A=1 tls=7 bss=0 ctor=1\n");
    CHECK_STR(output_of(helper("static_pie"), ((char*[]){"a", "b", NULL}), ((char*[]){"A=1", NULL})), "a b A=1 tls=7 bss=0 ctor=1\n");
  });
}

// Leaves only what starting and running a small program needs, and what `first_exec` names; as Docker's
// filter does, the rest fails with EPERM.
static int allow_only(int exec_number) {
  static const int allowed[] = {SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_lseek, SYS_mmap, SYS_mprotect, SYS_munmap,
                                SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_pread64, SYS_access, SYS_exit_group,
                                SYS_arch_prctl, SYS_prctl, SYS_set_tid_address, SYS_openat, SYS_newfstatat, SYS_readlink,
                                SYS_readlinkat, SYS_set_robust_list, SYS_prlimit64, SYS_getrandom, SYS_rseq, SYS_recvmsg};
  enum { kCount = sizeof allowed / sizeof *allowed };
  struct sock_filter code[kCount + 4] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  for (int i = 0; i < kCount; ++i)
    code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], kCount + 1 - i, 0);
  code[1 + kCount] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, exec_number, 1, 0);
  code[2 + kCount] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  code[3 + kCount] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {kCount + 4, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

ROLE(filtered) {
  (void)argc;
  (void)argv;
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  printf("%s %s\n", name, mkdir("never", 0755) != 0 ? guest_errno_name(errno) : "made");
  return 0;
}

static const char* output_filtered(int exec_number, const char* path) {
  static char text[256];
  int pair[2];
  memset(text, 0, sizeof text);
  MUST(pipe(pair));
  pid_t child = guest_fork();
  if (child == 0) {
    char* arguments[] = {(char*)path, "@filtered", NULL};
    char* environment[] = {"A=b", NULL};
    dup2(pair[1], 1);
    if (allow_only(exec_number) != 0) _exit(2);
    if (exec_number == SYS_execve) execve(path, arguments, environment);
    if (exec_number == SYS_execveat) syscall(SYS_execveat, AT_FDCWD, path, arguments, environment, 0);
    _exit(3);
  }
  close(pair[1]);
  ssize_t got = read(pair[0], text, sizeof text - 1);
  close(pair[0]);
  int status = -1;
  waitpid(child, &status, 0);
  if (got <= 0) snprintf(text, sizeof text, "nothing, and status %x", status);
  return text;
}

TEST(under_a_filter_of_its_own) {
  CHECK_STR(output_filtered(SYS_execve, guest_self), "exec EPERM\n");
  CHECK_STR(output_filtered(SYS_execveat, guest_self), "exec EPERM\n");
  CHECK(strstr(output_filtered(SYS_execve, helper("static")), "@filtered A=b tls=7 bss=0 ctor=1") != NULL);
  CHECK(strstr(output_filtered(SYS_execveat, helper("static_pie")), "@filtered A=b tls=7 bss=0 ctor=1") != NULL);
}
