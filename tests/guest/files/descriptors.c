// Descriptor tables: limits, duplication, closing ranges, sharing between processes and threads.
#include "../guest.h"
#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

TEST(too_many_open_files) {
  struct rlimit limit = {20, 20};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  guest_write_file("f", "");
  int opened = 0;
  while (open("f", O_RDONLY) >= 0) opened++;
  CHECK_EQ(errno, EMFILE);
  CHECK(opened > 5);
  ERR(open(".", O_RDONLY | O_DIRECTORY), EMFILE);
  ERR(open("new", O_CREAT | O_WRONLY, 0644), EMFILE);
  ERR(open("/proc/self/status", O_RDONLY), EMFILE);
  ERR(open("/dev/null", O_RDWR), EMFILE);
  struct stat st;
  OK(stat("f", &st));
  ERR(access("new", F_OK), ENOENT);
  OK(close(10));
  CHECK_EQ(open("f", O_RDONLY), 10);
  OK(close(10));
  CHECK_EQ(open(".", O_RDONLY | O_DIRECTORY), 10);
  ERR(dup(0), EMFILE);
}

TEST(the_limit_comes_before_the_path) {
  struct rlimit limit = {3, 3};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  for (int i = 0; i < 3; ++i) fcntl(i, F_GETFD) < 0 ? (void)open("/dev/null", O_RDWR) : (void)0;
  ERR(open("missing", O_RDONLY), EMFILE);
}

TEST(duplicates) {
  guest_write_file("f", "abcdef");
  int fd = MUST(open("f", O_RDONLY | O_CLOEXEC));
  int two = MUST(dup(fd)), three = MUST(dup3(fd, 100, O_CLOEXEC)), four = MUST(fcntl(fd, F_DUPFD_CLOEXEC, 50));
  CHECK_EQ(three, 100);
  CHECK(four >= 50);
  char byte;
  CHECK_EQ(read(fd, &byte, 1), 1);
  CHECK_EQ(read(two, &byte, 1), 1);
  CHECK_EQ(read(three, &byte, 1), 1);
  CHECK_EQ(byte, 'c');
  CHECK_EQ(fcntl(two, F_GETFD), 0);
  CHECK_EQ(fcntl(four, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(dup2(fd, fd), fd);
  ERR(dup3(fd, fd, 0), EINVAL);
  ERR(dup2(555, 10), EBADF);
  OK(dup2(fd, 0));
  OK(close(0));
}

TEST(ranges) {
  for (int i = 0; i < 10; ++i) MUST(dup2(1, 200 + i));
  OK(syscall(SYS_close_range, 200, 204, 0));
  ERR(fcntl(200, F_GETFD), EBADF);
  OK(fcntl(205, F_GETFD));
  OK(syscall(SYS_close_range, 205, 209, CLOSE_RANGE_CLOEXEC));
  CHECK_EQ(fcntl(205, F_GETFD), FD_CLOEXEC);
  ERR(syscall(SYS_close_range, 9, 3, 0), EINVAL);
}

TEST(everything_closed) {
  int saved = MUST(dup2(1, 900));
  pid_t child = guest_fork();
  if (child == 0) {
    syscall(SYS_close_range, 0, ~0u, 0);
    struct stat st;
    if (stat("/etc/passwd", &st) != 0) _exit(1);
    if (open("f", O_CREAT | O_RDWR, 0644) != 0) _exit(2);
    if (write(0, "works", 5) != 5) _exit(3);
    if (open(".", O_RDONLY | O_DIRECTORY) != 1) _exit(4);
    if (guest_fork() == 0) _exit(0);
    if (wait(NULL) < 0) _exit(5);
    _exit(0);
  }
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  CHECK_STR(guest_read_file("f"), "works");
  (void)saved;
}

TEST(a_reserved_looking_number_is_free) {
  // No descriptor of the sandbox's own shows up or can be closed by accident.
  for (int i = 3; i < 1024; ++i) close(i);
  struct stat st;
  OK(stat("/etc/passwd", &st));
  int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  CHECK_EQ(fd, 3);
}

static int shared_fd = -1;
static void* thread_opens(void* argument) {
  (void)argument;
  shared_fd = open("f", O_RDONLY);
  return NULL;
}
TEST(threads_share_the_table) {
  guest_write_file("f", "t");
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, thread_opens, NULL) == 0);
  pthread_join(thread, NULL);
  char byte;
  CHECK_EQ(read(shared_fd, &byte, 1), 1);
}

static int clone_child(void* argument) {
  (void)argument;
  return open("f", O_RDONLY) >= 0 ? 0 : 1;
}
TEST(clone_with_shared_files) {
  guest_write_file("f", "t");
  static char stack[65536] __attribute__((aligned(16)));
  int next = MUST(dup(1));
  OK(close(next));
  pid_t child = MUST(clone(clone_child, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  OK(fcntl(next, F_GETFD));
}

TEST(epoll_poll_eventfd) {
  int event = MUST(eventfd(0, EFD_CLOEXEC)), epoll = MUST(epoll_create1(0));
  struct epoll_event want = {.events = EPOLLIN, .data.fd = event}, got;
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &want));
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 0);
  OK(eventfd_write(event, 1));
  CHECK_EQ(epoll_wait(epoll, &got, 1, 1000), 1);
  guest_write_file("f", "");
  int file = MUST(open("f", O_RDONLY)), dir = MUST(open(".", O_RDONLY));
  ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &want), EPERM);
  ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, dir, &want), EPERM);
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec soon = {.it_value = {0, 1000000}};
  OK(timerfd_settime(timer, 0, &soon, NULL));
  uint64_t ticks;
  CHECK_EQ(read(timer, &ticks, 8), 8);
}
