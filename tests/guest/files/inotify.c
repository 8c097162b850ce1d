// inotify(7): events on files and directories that the guest itself changes.
#include "../guest.h"
#include <poll.h>
#include <sys/inotify.h>

// Reads what is there within 300 ms; ORs the masks of events whose name matches (NULL: any).
static uint32_t events(int fd, const char* name) {
  struct pollfd pfd = {fd, POLLIN, 0};
  uint32_t mask = 0;
  char buffer[4096] __attribute__((aligned(8)));
  while (poll(&pfd, 1, 300) == 1) {
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      struct inotify_event* event = (struct inotify_event*)(buffer + at);
      if (name == NULL || (event->len != 0 && strcmp(event->name, name) == 0)) mask |= event->mask;
      at += sizeof *event + event->len;
    }
    if (mask != 0) break;
  }
  return mask;
}

TEST(files) {
  guest_write_file("f", "x");
  int fd = MUST(inotify_init1(IN_CLOEXEC));
  MUST(inotify_add_watch(fd, "f", IN_MODIFY));
  int file = MUST(open("f", O_WRONLY));
  CHECK_EQ(write(file, "y", 1), 1);
  CHECK_EQ(events(fd, NULL) & IN_MODIFY, IN_MODIFY);
  int watch = MUST(inotify_add_watch(fd, "f", IN_CLOSE_WRITE));
  OK(close(file));
  CHECK_EQ(events(fd, NULL) & IN_CLOSE_WRITE, IN_CLOSE_WRITE);
  OK(inotify_rm_watch(fd, watch));
  ERR(inotify_rm_watch(fd, watch), EINVAL);
}

TEST(metadata_of_a_file) {
  guest_write_file("f", "x");
  int fd = MUST(inotify_init1(0));
  MUST(inotify_add_watch(fd, "f", IN_ATTRIB));
  OK(chmod("f", 0600));
  CHECK_EQ(events(fd, NULL) & IN_ATTRIB, IN_ATTRIB);
}

TEST(directories) {
  OK(mkdir("d", 0755));
  int fd = MUST(inotify_init1(IN_NONBLOCK));
  MUST(inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE));
  guest_write_file("d/new", "x");
  CHECK_EQ(events(fd, "new") & IN_CREATE, IN_CREATE);
  OK(rename("d/new", "d/old"));
  CHECK_EQ(events(fd, "old") & IN_MOVED_TO, IN_MOVED_TO);
  OK(unlink("d/old"));
  CHECK_EQ(events(fd, "old") & IN_DELETE, IN_DELETE);
  OK(mkdir("d/sub", 0755));
  CHECK_EQ(events(fd, "sub") & (IN_CREATE | IN_ISDIR), IN_CREATE | IN_ISDIR);
}

TEST(errors_and_flags) {
  int fd = MUST(inotify_init());
  ERR(inotify_add_watch(fd, "missing", IN_MODIFY), ENOENT);
  guest_write_file("f", "");
  ERR(inotify_add_watch(fd, "f", IN_MODIFY | IN_ONLYDIR), ENOTDIR);
  ERR(inotify_add_watch(fd, "f", 0), EINVAL);
  ERR(inotify_add_watch(555, "f", IN_MODIFY), EBADF);
  int file = MUST(open("f", O_RDONLY));
  ERR(inotify_add_watch(file, "f", IN_MODIFY), EINVAL);
  int one = MUST(inotify_add_watch(fd, "f", IN_MODIFY));
  CHECK_EQ(inotify_add_watch(fd, "./f", IN_ATTRIB), one);
  ERR(inotify_init1(0x1234567), EINVAL);
}

TEST(a_watch_on_a_host_file) {
  int fd = MUST(inotify_init1(0));
  OK(inotify_add_watch(fd, "/etc", IN_CREATE));
  OK(inotify_add_watch(fd, "/etc/passwd", IN_MODIFY));
}
