// fifo(7): opens that block, are woken by the other side and are interrupted by handlers.
#include "../guest.h"
#include <poll.h>
#include <time.h>

static volatile sig_atomic_t handled;
static void on_signal(int number) {
  (void)number;
  handled++;
}
static void handle(int number, int flags) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  OK(sigaction(number, &action, NULL));
}
static long elapsed_ms(const struct timespec* since) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

TEST(nonblocking) {
  OK(mkfifo("p", 0644));
  ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
  int r = MUST(open("p", O_RDONLY | O_NONBLOCK));
  int w = MUST(open("p", O_WRONLY | O_NONBLOCK));
  char byte;
  ERR(read(r, &byte, 1), EAGAIN);
  CHECK_EQ(write(w, "x", 1), 1);
  CHECK_EQ(read(r, &byte, 1), 1);
  OK(close(w));
  CHECK_EQ(read(r, &byte, 1), 0);
  int rw = OK(open("p", O_RDWR));
  CHECK_EQ(write(rw, "y", 1), 1);
  struct stat st;
  OK(fstat(rw, &st));
  CHECK(S_ISFIFO(st.st_mode));
  struct stat by_path;
  OK(stat("p", &by_path));
  CHECK_EQ(st.st_ino, by_path.st_ino);
  ERR(mkfifo("p", 0644), EEXIST);
  ERR(lseek(rw, 0, SEEK_SET), ESPIPE);
}

TEST(open_blocks_until_the_other_side) {
  OK(mkfifo("p", 0644));
  struct timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t child = guest_fork();
  if (child == 0) {
    guest_sleep_ms(150);
    int fd = open("p", O_WRONLY);
    _exit(fd >= 0 && write(fd, "late", 4) == 4 ? 0 : 1);
  }
  int fd = MUST(open("p", O_RDONLY));
  CHECK(elapsed_ms(&start) >= 130);
  char text[8] = {0};
  CHECK_EQ(read(fd, text, 8), 4);
  CHECK_STR(text, "late");
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(writer_blocks_too) {
  OK(mkfifo("p", 0644));
  pid_t child = guest_fork();
  if (child == 0) {
    guest_sleep_ms(100);
    int fd = open("p", O_RDONLY);
    char byte;
    _exit(fd >= 0 && read(fd, &byte, 1) == 1 ? 0 : 1);
  }
  int fd = MUST(open("p", O_WRONLY | O_CREAT, 0600));
  CHECK_EQ(write(fd, "x", 1), 1);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(others_run_while_one_waits) {
  OK(mkfifo("p", 0644));
  pid_t child = guest_fork();
  if (child == 0) _exit(open("p", O_RDONLY) >= 0 ? 0 : 1);
  struct stat st;
  for (int i = 0; i < 200; ++i) OK(stat("p", &st));
  CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
  OK(open("p", O_WRONLY));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(a_handler_interrupts_the_open) {
  OK(mkfifo("p", 0644));
  handle(SIGUSR1, 0);
  pid_t parent = getpid(), child = guest_fork();
  if (child == 0) {
    for (;;) {
      guest_sleep_ms(100);
      kill(parent, SIGUSR1);
    }
  }
  ERR(open("p", O_RDONLY), EINTR);
  CHECK(handled >= 1);
  kill(child, SIGKILL);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
}

TEST(sa_restart_goes_on_waiting) {
  OK(mkfifo("p", 0644));
  handle(SIGUSR1, SA_RESTART);
  pid_t parent = getpid(), child = guest_fork();
  if (child == 0) {
    guest_sleep_ms(100);
    kill(parent, SIGUSR1);
    guest_sleep_ms(100);
    int fd = open("p", O_WRONLY);
    _exit(fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1);
  }
  int fd = MUST(open("p", O_RDONLY));
  CHECK_EQ(handled, 1);
  char byte;
  CHECK_EQ(read(fd, &byte, 1), 1);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(a_waiting_process_can_be_killed) {
  OK(mkfifo("p", 0644));
  for (int i = 0; i < 5; ++i) {
    pid_t child = guest_fork();
    if (child == 0) _exit(open("p", O_RDONLY) >= 0 ? 0 : 1);
    guest_sleep_ms(i * 20);
    OK(kill(child, SIGKILL));
    int status;
    OK(waitpid(child, &status, 0));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  // Nobody is left who would let a writer in.
  ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
}

TEST(reopened_through_proc) {
  int pair[2];
  MUST(pipe(pair));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", pair[1]);
  int again = MUST(open(path, O_WRONLY));
  CHECK_EQ(write(again, "p", 1), 1);
  char byte = 0;
  CHECK_EQ(read(pair[0], &byte, 1), 1);
  CHECK_EQ(byte, 'p');
}

TEST(a_broken_pipe_signals) {
  OK(mkfifo("p", 0644));
  int r = MUST(open("p", O_RDONLY | O_NONBLOCK)), w = MUST(open("p", O_WRONLY));
  OK(close(r));
  handle(SIGPIPE, 0);
  ERR(write(w, "x", 1), EPIPE);
  CHECK_EQ(handled, 1);
}
