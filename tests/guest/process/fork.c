// fork(2), vfork(2), clone(2), posix_spawn(3) and threads: what a child inherits and what it does not.
#include "../guest.h"
#include <linux/sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char** environ;

ROLE(exit_with) { return atoi(argv[2]); }
ROLE(print_cwd) {
  char cwd[PATH_MAX];
  return getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, argv[2]) == 0 ? 0 : 1;
}

TEST(identities) {
  pid_t parent = getpid();
  IN_CHILD({
    CHECK_EQ(getppid(), parent);
    CHECK(getpid() != parent);
    CHECK_EQ(syscall(SYS_gettid), getpid());
  });
  CHECK_EQ(syscall(SYS_gettid), parent);
  CHECK(parent > 0 && getppid() >= 0);
}

TEST(inherits_directory_umask_descriptors) {
  guest_write_file("f", "abc");
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  umask(077);
  int fd = MUST(open("../f", O_RDONLY));
  IN_CHILD({
    char byte;
    CHECK_EQ(umask(0), 077);
    OK(access("../f", F_OK));
    CHECK_EQ(read(fd, &byte, 1), 1);
    OK(chdir("/"));
  });
  char byte;
  CHECK_EQ(read(fd, &byte, 1), 1);
  CHECK_EQ(byte, 'b');
  CHECK_EQ(umask(022), 077);
  OK(access("../f", F_OK));
}

TEST(an_orphan_keeps_its_directory) {
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "");
  int pair[2];
  MUST(pipe(pair));
  pid_t child = guest_fork();
  if (child == 0) {
    if (chdir("d") != 0) _exit(1);
    if (guest_fork() == 0) {
      guest_sleep_ms(100);  // the parent is gone by now
      char result = access("f", F_OK) == 0 ? 'y' : 'n';
      if (write(pair[1], &result, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  OK(waitpid(child, NULL, 0));
  char result = 0;
  CHECK_EQ(read(pair[0], &result, 1), 1);
  CHECK_EQ(result, 'y');
}

TEST(many_children) {
  for (int i = 0; i < 100; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      struct stat st;
      _exit(stat("/etc/passwd", &st) == 0 ? i : 200);
    }
    int status;
    REQUIRE(child > 0);
    OK(waitpid(child, &status, 0));
    CHECK_EQ(WEXITSTATUS(status), i);
  }
}

TEST(children_side_by_side) {
  pid_t children[20];
  for (int i = 0; i < 20; ++i) {
    children[i] = guest_fork();
    if (children[i] == 0) {
      char name[32];
      for (int j = 0; j < 20; ++j) {
        snprintf(name, sizeof name, "c%d-%d", i, j);
        guest_write_file(name, name);
        if (strcmp(guest_read_file(name), name) != 0) _exit(1);
      }
      _exit(0);
    }
  }
  for (int i = 0; i < 20; ++i) {
    int status;
    OK(waitpid(children[i], &status, 0));
    CHECK_EQ(status, 0);
  }
}

TEST(vfork_shares_memory_and_waits) {
  volatile int value = 0;
  pid_t child = vfork();
  if (child == 0) {
    value = 42;
    _exit(7);
  }
  CHECK_EQ(value, 42);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(WEXITSTATUS(status), 7);
}

TEST(vfork_and_exec) {
  for (int i = 0; i < 20; ++i) {
    char number[8];
    snprintf(number, sizeof number, "%d", i);
    pid_t child = vfork();
    if (child == 0) {
      execl(guest_self, guest_self, "@exit_with", number, NULL);
      _exit(99);
    }
    int status;
    OK(waitpid(child, &status, 0));
    CHECK_EQ(WEXITSTATUS(status), i);
  }
}

TEST(spawn) {
  char* arguments[] = {guest_self, "@exit_with", "5", NULL};
  pid_t child;
  CHECK_EQ(posix_spawn(&child, guest_self, NULL, NULL, arguments, environ), 0);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(WEXITSTATUS(status), 5);
  CHECK_EQ(posix_spawn(&child, "/missing", NULL, NULL, arguments, environ), ENOENT);
  OK(mkdir("d", 0755));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, "d");
  posix_spawn_file_actions_addopen(&actions, 1, "out", O_CREAT | O_WRONLY, 0644);
  char want[PATH_MAX + 16];
  snprintf(want, sizeof want, "%s/d", guest_dir);
  char* cwd[] = {guest_self, "@print_cwd", want, NULL};
  CHECK_EQ(posix_spawn(&child, guest_self, &actions, NULL, cwd, environ), 0);
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  OK(access("d/out", F_OK));
  CHECK_EQ(posix_spawnp(&child, "true", NULL, NULL, (char*[]){"true", NULL}, environ), 0);
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(system_and_popen) {
  CHECK_EQ(WEXITSTATUS(system("exit 3")), 3);
  FILE* pipe = popen("echo one; echo two", "r");
  REQUIRE(pipe != NULL);
  char line[16];
  CHECK(fgets(line, sizeof line, pipe) != NULL);
  CHECK_STR(line, "one\n");
  CHECK(fgets(line, sizeof line, pipe) != NULL);
  CHECK_STR(line, "two\n");
  CHECK_EQ(pclose(pipe), 0);
}

static void* add_one(void* argument) {
  __sync_fetch_and_add((int*)argument, 1);
  return argument;
}

TEST(threads_come_and_go) {
  int count = 0;
  for (int round = 0; round < 10; ++round) {
    pthread_t threads[10];
    for (int i = 0; i < 10; ++i) REQUIRE(pthread_create(&threads[i], NULL, add_one, &count) == 0);
    for (int i = 0; i < 10; ++i) pthread_join(threads[i], NULL);
  }
  CHECK_EQ(count, 100);
}

static void* forks_in_thread(void* argument) {
  pid_t child = guest_fork();
  if (child == 0) _exit(access("/etc/passwd", F_OK) == 0 ? 4 : 5);
  waitpid(child, argument, 0);
  return NULL;
}
TEST(fork_from_a_thread) {
  int status = 0;
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, forks_in_thread, &status) == 0);
  pthread_join(thread, NULL);
  CHECK_EQ(WEXITSTATUS(status), 4);
}

static int shares_directory(void* argument) {
  (void)argument;
  umask(0123);
  return chdir("d") == 0 ? 0 : 1;
}
TEST(clone_with_shared_fs) {
  static char stack[65536] __attribute__((aligned(16)));
  OK(mkdir("d", 0755));
  pid_t child = MUST(clone(shares_directory, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  char cwd[PATH_MAX], want[PATH_MAX + 8];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  snprintf(want, sizeof want, "%s/d", guest_dir);
  CHECK_STR(cwd, want);
  CHECK_EQ(umask(022), 0123);
}

TEST(main_thread_may_leave_first) {
  pid_t child = guest_fork();
  if (child == 0) {
    pthread_t thread;
    // The process goes on with the other thread and ends with its status.
    void* body(void* argument) {
      (void)argument;
      guest_sleep_ms(50);
      _exit(access("/etc/passwd", F_OK) == 0 ? 6 : 1);
    }
    pthread_create(&thread, NULL, body, NULL);
    syscall(SYS_exit, 0);
  }
  int status;
  OK(waitpid(child, &status, 0));
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 6);
}

TEST(process_descriptors) {
  pid_t child = guest_fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  int fd = OK(syscall(SYS_pidfd_open, child, 0));
  OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  siginfo_t info;
  OK(waitid(P_PIDFD, fd, &info, WEXITED));
  CHECK_EQ(info.si_status, SIGTERM);
  CHECK_EQ(info.si_pid, child);
}

TEST(names_of_threads) {
  char name[16];
  OK(prctl(PR_SET_NAME, "short"));
  OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "short");
  CHECK_STR(guest_read_file("/proc/self/comm"), "short\n");
}

TEST(a_fork_bomb_is_bounded_by_limits) {
  if (geteuid() == 0) guest_become(54321);
  struct rlimit limit = {30, 30};
  OK(setrlimit(RLIMIT_NPROC, &limit));
  int made = 0;
  while (made < 200) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      alarm(15);
      pause();
      _exit(0);
    }
    made++;
  }
  CHECK_EQ(errno, EAGAIN);
  CHECK(made < 60);
}
