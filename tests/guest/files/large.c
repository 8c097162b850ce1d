// Changes of a large file that was there before: on an overlay its content is copied first, while others go on.
#include "../guest.h"
#include <sys/time.h>

enum { kSize = 9 << 20 };

static void check_content(const char* path, off_t size) {
  static unsigned char data[1 << 20];
  int fd = MUST(open(path, O_RDONLY));
  off_t have = 0;
  ssize_t got;
  while ((got = read(fd, data, sizeof data)) > 0) {
    for (ssize_t i = 0; i < got && have + i < kSize; ++i)
      if (data[i] != ((have + i) & 255)) {
        GUEST_FAILED("byte %lld is %d", (long long)(have + i), data[i]);
        return;
      }
    have += got;
  }
  CHECK_EQ(have, size);
  close(fd);
}

TEST(is_copied_whole) {
  ENTER_LOWER("large");
  struct stat before, after;
  OK(stat("written", &before));
  int fd = MUST(open("written", O_RDWR | O_APPEND));
  check_content("written", kSize);
  OK(fstat(fd, &after));
  CHECK_EQ(after.st_mode, before.st_mode);
  CHECK_EQ(after.st_uid, before.st_uid);
  CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  CHECK_EQ(write(fd, "end", 3), 3);
  check_content("written", kSize + 3);
}

TEST(several_change_it_at_once) {
  ENTER_LOWER("large");
  enum { kWriters = 6 };
  for (int i = 0; i < kWriters; ++i) {
    if (guest_fork() == 0) {
      int fd = open("shared", O_WRONLY | O_APPEND);
      _exit(fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1);
    }
  }
  for (int i = 0; i < kWriters; ++i) {
    int status;
    OK(wait(&status));
    CHECK_EQ(status, 0);
  }
  check_content("shared", kSize + kWriters);
}

static volatile int alarms;
static void on_alarm(int signal) {
  (void)signal;
  ++alarms;
}

TEST(signals_do_not_interrupt) {
  ENTER_LOWER("large");
  struct sigaction action = {.sa_handler = on_alarm};
  OK(sigaction(SIGALRM, &action, NULL));
  struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &often, NULL));
  OK(chmod("signals", 0600));
  int fd = MUST(open("signals", O_RDWR));
  OK(setitimer(ITIMER_REAL, &never, NULL));
  close(fd);
  check_content("signals", kSize);
}

TEST(its_process_can_be_killed_meanwhile) {
  ENTER_LOWER("large");
  for (int i = 0; i < 8; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      open("killed", O_RDWR);
      pause();
    }
    guest_sleep_ms(i);
    OK(kill(child, i % 2 == 0 ? SIGKILL : SIGTERM));
    int status;
    OK(waitpid(child, &status, 0));
    CHECK(WIFSIGNALED(status));
  }
  check_content("killed", kSize);
  int fd = MUST(open("killed", O_RDWR));
  close(fd);
  check_content("killed", kSize);
}

TEST(names_and_sizes) {
  ENTER_LOWER("large");
  OK(rename("renamed", "moved"));
  ERR(access("renamed", F_OK), ENOENT);
  check_content("moved", kSize);
  OK(truncate("cut", kSize - 5));
  check_content("cut", kSize - 5);
  struct stat st;
  OK(link("cut", "second"));
  OK(stat("cut", &st));
  CHECK_EQ(st.st_nlink, 2);
  OK(truncate("second", 0));
  check_content("cut", 0);
}
