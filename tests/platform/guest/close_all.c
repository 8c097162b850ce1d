// Closes every descriptor in several ways; opening files must work afterwards, and nothing above stays open.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int opens(void) {
  int fd = open("/etc/passwd", O_RDONLY);
  char byte;
  int good = fd == 3 && read(fd, &byte, 1) == 1;
  close(fd);
  return good;
}

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

int main(void) {
  int high = fcntl(1, F_DUPFD, 1005);
  int below = fcntl(1, F_DUPFD, 900);
  long all = syscall(SYS_close_range, 3, ~0u, 0);
  printf("all %ld open %d %d opens %d\n", all, is_open(below), high > 0 && is_open(high), opens());
  high = fcntl(1, F_DUPFD, 1005);
  long from_reserved = syscall(SYS_close_range, 1000, ~0u, 0);
  printf("upper %ld open %d opens %d\n", from_reserved, high > 0 && is_open(high), opens());
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  printf("loop opens %d\n", opens());
  printf("one %ld\n", (long)syscall(SYS_close_range, 1000, 1000, 0));
  long wrong = syscall(SYS_close_range, 10, 5, 0);
  printf("reversed %ld %d opens %d\n", wrong, errno == EINVAL, opens());
  return 0;
}
