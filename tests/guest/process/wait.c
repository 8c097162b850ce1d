// wait(2), SIGCHLD, stopping and continuing, process groups and sessions.
#include "../guest.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static volatile sig_atomic_t children, child_status, child_code;
static void on_child(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  children++;
  child_status = info->si_status;
  child_code = info->si_code;
}

TEST(statuses) {
  int status;
  pid_t child = guest_fork();
  if (child == 0) _exit(256 + 3);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  ERR(waitpid(child, &status, 0), ECHILD);
  ERR(waitpid(-1, &status, 0), ECHILD);
  ERR(waitpid(-1, &status, 0x1000), EINVAL);
  child = guest_fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
  OK(kill(child, SIGTERM));
  struct rusage usage;
  CHECK_EQ(wait4(child, &status, 0, &usage), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(child_signal) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  OK(sigaction(SIGCHLD, &action, NULL));
  pid_t child = guest_fork();
  if (child == 0) _exit(42);
  OK(waitpid(child, NULL, 0));
  CHECK_EQ(children, 1);
  CHECK_EQ(child_status, 42);
  CHECK_EQ(child_code, CLD_EXITED);
  child = guest_fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  OK(kill(child, SIGKILL));
  OK(waitpid(child, NULL, 0));
  CHECK_EQ(children, 2);
  CHECK_EQ(child_code, CLD_KILLED);
}

TEST(ignored_children_vanish) {
  signal(SIGCHLD, SIG_IGN);
  pid_t child = guest_fork();
  if (child == 0) _exit(0);
  ERR(waitpid(child, NULL, 0), ECHILD);
}

TEST(stop_and_continue) {
  pid_t child = guest_fork();
  if (child == 0) {
    for (;;) {
      struct stat st;
      stat("/etc/passwd", &st);
    }
  }
  int status;
  OK(kill(child, SIGSTOP));
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  OK(kill(child, SIGCONT));
  CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  OK(kill(child, SIGTSTP));
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
  OK(kill(child, SIGKILL));
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(stopping_oneself) {
  pid_t child = guest_fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(access("/etc/passwd", F_OK) == 0 ? 8 : 9);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status));
  guest_sleep_ms(50);
  CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
  OK(kill(child, SIGCONT));
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);
}

TEST(waitid_without_reaping) {
  pid_t child = guest_fork();
  if (child == 0) _exit(9);
  siginfo_t info = {0};
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_status, 9);
  OK(waitid(P_ALL, 0, &info, WEXITED));
  ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

TEST(groups) {
  CHECK_EQ(getpgrp(), getpgid(0));
  pid_t child = guest_fork();
  if (child == 0) {
    setpgid(0, 0);
    if (getpgrp() != getpid()) _exit(1);
    pid_t grandchild = guest_fork();
    if (grandchild == 0) {
      pause();
      _exit(0);
    }
    pause();
    _exit(0);
  }
  WAIT_UNTIL(getpgid(child) == child);
  OK(kill(-child, SIGTERM));
  int status;
  CHECK_EQ(waitpid(-child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  ERR(getpgid(999999), ESRCH);
}

TEST(sessions) {
  IN_CHILD({
    pid_t session = MUST(setsid());
    CHECK_EQ(session, getpid());
    CHECK_EQ(getsid(0), getpid());
    CHECK_EQ(getpgrp(), getpid());
    ERR(setsid(), EPERM);
    ERR(setpgid(0, 0), EPERM);
    ERR(open("/dev/tty", O_RDWR), ENXIO);
  });
}

TEST(orphans_are_reaped_by_the_subreaper) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  pid_t child = guest_fork();
  if (child == 0) {
    if (guest_fork() == 0) {
      guest_sleep_ms(50);
      _exit(77);
    }
    _exit(1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  pid_t orphan = MUST(wait(&status));
  CHECK(orphan != child);
  CHECK_EQ(WEXITSTATUS(status), 77);
}

TEST(death_signal_of_the_parent) {
  int pair[2];
  MUST(pipe(pair));
  pid_t child = guest_fork();
  if (child == 0) {
    pid_t grandchild = guest_fork();
    if (grandchild == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      char byte = 'r';
      if (write(pair[1], &byte, 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    close(pair[1]);
    char byte;
    if (read(pair[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  close(pair[1]);
  OK(waitpid(child, NULL, 0));
  char byte;
  CHECK_EQ(read(pair[0], &byte, 1), 0);
}

TEST(usage_is_counted) {
  struct rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(usage.ru_maxrss > 0);
  OK(getrusage(RUSAGE_CHILDREN, &usage));
  CHECK(getpriority(PRIO_PROCESS, 0) >= -20);
}
