// Pseudo terminals: /dev/ptmx, /dev/pts, /dev/tty, job control through a terminal.
#include "../guest.h"
#include <dirent.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int open_master(int* number) {
  int master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
  int unlock = 0;
  MUST(ioctl(master, TIOCSPTLCK, &unlock));
  MUST(ioctl(master, TIOCGPTN, number));
  return master;
}

static int open_slave(int number) {
  char path[32];
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  return MUST(open(path, O_RDWR | O_NOCTTY));
}

static const char* read_some(int fd) {
  static char text[1024];
  ssize_t got = read(fd, text, sizeof text - 1);
  text[got < 0 ? 0 : got] = 0;
  return text;
}

TEST(both_ends) {
  int number, master = open_master(&number), slave = open_slave(number);
  struct termios mode;
  OK(tcgetattr(slave, &mode));
  cfmakeraw(&mode);
  OK(tcsetattr(slave, TCSANOW, &mode));
  CHECK_EQ(write(master, "down", 4), 4);
  CHECK_STR(read_some(slave), "down");
  CHECK_EQ(write(slave, "up", 2), 2);
  CHECK_STR(read_some(master), "up");
  CHECK_EQ(isatty(slave), 1);
  struct stat st;
  OK(fstat(slave, &st));
  CHECK_EQ(st.st_rdev, makedev(136, number));
  struct winsize size = {24, 80, 0, 0}, got;
  OK(ioctl(master, TIOCSWINSZ, &size));
  OK(ioctl(slave, TIOCGWINSZ, &got));
  CHECK_EQ(got.ws_col, 80);
}

TEST(names) {
  int number, master = open_master(&number), slave = open_slave(number);
  char want[32], name[64];
  snprintf(want, sizeof want, "/dev/pts/%d", number);
  CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
  CHECK_STR(name, want);
  CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
  CHECK_STR(name, want);
  struct stat by_path, by_fd;
  OK(stat(want, &by_path));
  OK(fstat(slave, &by_fd));
  CHECK_EQ(by_path.st_rdev, by_fd.st_rdev);
  CHECK_EQ(by_path.st_ino, by_fd.st_ino);
  CHECK_EQ(by_path.st_dev, by_fd.st_dev);
  CHECK_EQ(by_path.st_uid, geteuid());
  DIR* dir = opendir("/dev/pts");
  REQUIRE(dir != NULL);
  int found = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) found |= atoi(entry->d_name) == number && entry->d_name[0] != '.' && entry->d_name[0] != 'p';
  CHECK_EQ(found, 1);
  int peer = OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  CHECK_EQ(isatty(peer), 1);
  CHECK_EQ(close(master), 0);
  ERR(open(want, O_RDWR | O_NOCTTY), ENOENT);
}

TEST(locked_until_unlocked) {
  int master = MUST(posix_openpt(O_RDWR | O_NOCTTY)), number;
  OK(ioctl(master, TIOCGPTN, &number));
  char path[32];
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  ERR(open(path, O_RDWR | O_NOCTTY), EIO);
  OK(grantpt(master));
  OK(unlockpt(master));
  OK(open(path, O_RDWR | O_NOCTTY));
}

TEST(controlling_terminal) {
  int number, master = open_master(&number);
  pid_t child = guest_fork();
  if (child == 0) {
    setsid();
    close(master);
    int slave = open_slave(number);
    OK(ioctl(slave, TIOCSCTTY, 0));
    int tty = MUST(open("/dev/tty", O_RDWR));
    CHECK_EQ(tcgetsid(tty), getpid());
    CHECK_EQ(tcgetpgrp(tty), getpid());
    CHECK_EQ(write(tty, "hello", 5), 5);
    struct stat st;
    OK(stat("/dev/tty", &st));
    CHECK_EQ(st.st_rdev, makedev(5, 0));
    guest_finish();
  }
  char text[16] = {0};
  size_t have = 0;
  while (have < 5) {
    ssize_t got = read(master, text + have, 5 - have);
    if (got <= 0) break;
    have += got;
  }
  CHECK_STR(text, "hello");
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(interrupt_character) {
  int number, master = open_master(&number);
  pid_t child = guest_fork();
  if (child == 0) {
    setsid();
    close(master);
    int slave = open_slave(number);
    ioctl(slave, TIOCSCTTY, 0);
    if (write(slave, "r", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte;
  CHECK_EQ(read(master, &byte, 1), 1);
  CHECK_EQ(write(master, "\003", 1), 1);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

TEST(suspend_character_and_foreground) {
  int number, master = open_master(&number);
  pid_t child = guest_fork();
  if (child == 0) {
    setsid();
    close(master);
    int slave = open_slave(number);
    ioctl(slave, TIOCSCTTY, 0);
    pid_t job = guest_fork();
    if (job == 0) {
      setpgid(0, 0);
      for (;;) pause();
    }
    setpgid(job, job);
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(slave, job));
    CHECK_EQ(tcgetpgrp(slave), job);
    if (write(slave, "r", 1) != 1) _exit(1);
    int status;
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    OK(tcsetpgrp(slave, getpid()));
    kill(-job, SIGCONT);
    kill(-job, SIGKILL);
    waitpid(job, NULL, 0);
    guest_finish();
  }
  char byte;
  CHECK_EQ(read(master, &byte, 1), 1);
  guest_sleep_ms(20);
  CHECK_EQ(write(master, "\032", 1), 1);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(hangup) {
  int number, master = open_master(&number);
  pid_t child = guest_fork();
  if (child == 0) {
    setsid();
    close(master);
    int slave = open_slave(number);
    ioctl(slave, TIOCSCTTY, 0);
    if (write(slave, "r", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte;
  CHECK_EQ(read(master, &byte, 1), 1);
  OK(close(master));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

TEST(forkpty_runs_a_shell) {
  int master;
  pid_t child = forkpty(&master, NULL, NULL, NULL);
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "tty; test -t 0 && echo terminal", NULL);
    _exit(1);
  }
  REQUIRE(child > 0);
  char text[512] = {0};
  size_t have = 0;
  ssize_t got;
  while (have < sizeof text - 1 && (got = read(master, text + have, sizeof text - 1 - have)) > 0) have += got;
  CHECK(strncmp(text, "/dev/pts/", 9) == 0);
  CHECK(strstr(text, "terminal") != NULL);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}
