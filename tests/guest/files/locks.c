// flock(2), POSIX record locks and open file description locks.
#include "../guest.h"
#include <sys/file.h>

static struct flock region(short type, off_t start, off_t length) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return lock;
}

TEST(flock_between_descriptors) {
  guest_write_file("f", "");
  int a = MUST(open("f", O_RDWR)), b = MUST(open("f", O_RDONLY));
  OK(flock(a, LOCK_EX));
  ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  OK(flock(a, LOCK_SH));
  OK(flock(b, LOCK_SH | LOCK_NB));
  int twin = MUST(dup(a));
  OK(flock(b, LOCK_UN));
  OK(flock(twin, LOCK_UN));
  OK(flock(b, LOCK_EX | LOCK_NB));
  ERR(flock(a, 77), EINVAL);
  ERR(flock(555, LOCK_EX), EBADF);
}

TEST(flock_on_a_directory) {
  OK(mkdir("d", 0755));
  OK(mkdir("e", 0755));
  int a = MUST(open("d", O_RDONLY)), b = MUST(open("d", O_RDONLY)), other = MUST(open("e", O_RDONLY));
  OK(flock(a, LOCK_EX));
  ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  OK(flock(other, LOCK_EX | LOCK_NB));
  OK(close(a));
  OK(flock(b, LOCK_EX | LOCK_NB));
}

TEST(flock_survives_fork) {
  guest_write_file("f", "");
  int a = MUST(open("f", O_RDWR));
  OK(flock(a, LOCK_EX));
  int go[2];
  MUST(pipe(go));
  pid_t child = guest_fork();
  if (child == 0) {
    char byte;
    close(go[1]);
    if (read(go[0], &byte, 1) != 0) _exit(1);
    _exit(0);
  }
  close(go[0]);
  close(a);
  int b = MUST(open("f", O_RDWR));
  ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  close(go[1]);
  OK(waitpid(child, NULL, 0));
  OK(flock(b, LOCK_EX | LOCK_NB));
}

TEST(flock_waits_and_is_interruptible) {
  guest_write_file("f", "");
  int a = MUST(open("f", O_RDWR)), b = MUST(open("f", O_RDWR));
  OK(flock(a, LOCK_EX));
  pid_t child = guest_fork();
  if (child == 0) _exit(flock(b, LOCK_EX) == 0 ? 0 : 1);
  guest_sleep_ms(50);
  CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
  OK(flock(a, LOCK_UN));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(posix_between_processes) {
  guest_write_file("f", "0123456789");
  int fd = MUST(open("f", O_RDWR));
  struct flock lock = region(F_WRLCK, 0, 5);
  OK(fcntl(fd, F_SETLK, &lock));
  IN_CHILD({
    struct flock mine = region(F_WRLCK, 3, 1);
    int own = MUST(open("f", O_RDWR));
    errno = 0;
    CHECK(fcntl(own, F_SETLK, &mine) == -1 && (errno == EAGAIN || errno == EACCES));
    OK(fcntl(own, F_GETLK, &mine));
    CHECK_EQ(mine.l_type, F_WRLCK);
    CHECK_EQ(mine.l_pid, getppid());
    CHECK_EQ(mine.l_start, 0);
    CHECK_EQ(mine.l_len, 5);
    mine = region(F_WRLCK, 5, 1);
    OK(fcntl(own, F_SETLK, &mine));
  });
  lock = region(F_UNLCK, 0, 0);
  OK(fcntl(fd, F_SETLK, &lock));
}

TEST(posix_close_drops_all) {
  guest_write_file("f", "");
  int fd = MUST(open("f", O_RDWR)), other = MUST(open("f", O_RDWR));
  struct flock lock = region(F_WRLCK, 0, 0);
  OK(fcntl(fd, F_SETLK, &lock));
  OK(close(other));  // any descriptor of the file
  IN_CHILD({
    struct flock mine = region(F_WRLCK, 0, 0);
    int own = MUST(open("f", O_RDWR));
    OK(fcntl(own, F_SETLK, &mine));
  });
}

TEST(posix_waits) {
  guest_write_file("f", "");
  int fd = MUST(open("f", O_RDWR));
  struct flock lock = region(F_WRLCK, 0, 0);
  OK(fcntl(fd, F_SETLK, &lock));
  pid_t child = guest_fork();
  if (child == 0) {
    struct flock mine = region(F_WRLCK, 0, 0);
    _exit(fcntl(open("f", O_RDWR), F_SETLKW, &mine) == 0 ? 0 : 1);
  }
  guest_sleep_ms(50);
  CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
  lock = region(F_UNLCK, 0, 0);
  OK(fcntl(fd, F_SETLK, &lock));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(posix_needs_the_right_access) {
  guest_write_file("f", "");
  int r = MUST(open("f", O_RDONLY)), w = MUST(open("f", O_WRONLY));
  struct flock lock = region(F_WRLCK, 0, 0);
  ERR(fcntl(r, F_SETLK, &lock), EBADF);
  lock = region(F_RDLCK, 0, 0);
  ERR(fcntl(w, F_SETLK, &lock), EBADF);
  OK(fcntl(r, F_SETLK, &lock));
  lock = region(F_RDLCK, -5, 3);
  ERR(fcntl(r, F_SETLK, &lock), EINVAL);
}

TEST(open_file_description_locks) {
  guest_write_file("f", "");
  int a = MUST(open("f", O_RDWR)), b = MUST(open("f", O_RDWR));
  struct flock lock = region(F_WRLCK, 0, 10);
  OK(fcntl(a, F_OFD_SETLK, &lock));
  struct flock mine = region(F_WRLCK, 5, 1);
  ERR(fcntl(b, F_OFD_SETLK, &mine), EAGAIN);
  OK(fcntl(b, F_OFD_GETLK, &mine));
  CHECK_EQ(mine.l_type, F_WRLCK);
  CHECK_EQ(mine.l_pid, -1);
  int extra = MUST(open("f", O_RDWR));
  OK(close(extra));  // unlike POSIX locks these stay
  mine = region(F_WRLCK, 5, 1);
  ERR(fcntl(b, F_OFD_SETLK, &mine), EAGAIN);
  OK(close(a));
  OK(fcntl(b, F_OFD_SETLK, &mine));
}

TEST(lockf_and_deadlock) {
  guest_write_file("f", "0123456789");
  int fd = MUST(open("f", O_RDWR));
  OK(lockf(fd, F_LOCK, 1));
  int ready[2];
  MUST(pipe(ready));
  pid_t child = guest_fork();
  if (child == 0) {
    int own = open("f", O_RDWR);
    struct flock second = region(F_WRLCK, 5, 1), first = region(F_WRLCK, 0, 1);
    fcntl(own, F_SETLK, &second);
    if (write(ready[1], "x", 1) != 1) _exit(9);
    _exit(fcntl(own, F_SETLKW, &first) == 0 ? 0 : errno);
  }
  char byte;
  CHECK_EQ(read(ready[0], &byte, 1), 1);
  struct flock second = region(F_WRLCK, 5, 1);
  // Whoever asks last is refused, and lets the other one have it by ending.
  const int refused = fcntl(fd, F_SETLKW, &second) == 0 ? 0 : errno;
  OK(close(fd));
  int status;
  OK(waitpid(child, &status, 0));
  REQUIRE(WIFEXITED(status));
  CHECK((refused == EDEADLK && WEXITSTATUS(status) == 0) || (refused == 0 && WEXITSTATUS(status) == EDEADLK));
}

TEST(leases_and_pipes_sizes) {
  int pair[2];
  MUST(pipe(pair));
  CHECK(fcntl(pair[0], F_GETPIPE_SZ) >= 4096);
  OK(fcntl(pair[0], F_SETPIPE_SZ, 8192));
  OK(fcntl(pair[0], F_SETOWN, getpid()));
  CHECK_EQ(fcntl(pair[0], F_GETOWN), getpid());
}

// Files that were there before, open for reading only: on an overlay they are the host's, and so no lock of
// theirs may be.

TEST(flock_of_a_file_that_was_there_before) {
  ENTER_LOWER("locks");
  int a = MUST(open("exclusive", O_RDONLY)), b = MUST(open("exclusive", O_RDONLY));
  OK(flock(a, LOCK_EX));
  ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  OK(flock(a, LOCK_EX | LOCK_NB));
  IN_CHILD({
    OK(flock(a, LOCK_EX | LOCK_NB));  // the same open file
    int own = MUST(open("exclusive", O_RDONLY));
    ERR(flock(own, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    OK(flock(a, LOCK_SH));
    OK(flock(own, LOCK_SH | LOCK_NB));
  });
  OK(flock(b, LOCK_SH | LOCK_NB));
  ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);  // and has lost what it had
  OK(flock(b, LOCK_EX | LOCK_NB));
  OK(flock(b, LOCK_UN));
  OK(flock(a, LOCK_EX | LOCK_NB));
  ERR(flock(a, 77), EINVAL);
  int path = MUST(open("exclusive", O_PATH));
  ERR(flock(path, LOCK_SH), EBADF);
}

TEST(flock_ends_with_its_last_descriptor) {
  ENTER_LOWER("locks");
  int a = MUST(open("closed", O_RDONLY)), twin = MUST(dup(a)), b = MUST(open("closed", O_RDONLY));
  OK(flock(a, LOCK_EX));
  close(a);
  ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  close(twin);
  OK(flock(b, LOCK_EX | LOCK_NB));
  OK(flock(b, LOCK_UN));
  pid_t child = guest_fork();
  if (child == 0) {
    int own = open("closed", O_RDONLY);
    _exit(flock(own, LOCK_EX | LOCK_NB) == 0 ? 0 : 1);
  }
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
  OK(flock(b, LOCK_EX | LOCK_NB));
}

TEST(flock_of_a_file_that_was_there_before_waits) {
  ENTER_LOWER("locks");
  int a = MUST(open("waited", O_RDONLY)), b = MUST(open("waited", O_RDONLY));
  OK(flock(a, LOCK_EX));
  pid_t child = guest_fork();
  if (child == 0) {
    close(a);
    _exit(flock(b, LOCK_EX) == 0 ? 0 : 1);
  }
  guest_sleep_ms(50);
  CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
  OK(flock(a, LOCK_UN));
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(regions_of_a_file_that_was_there_before) {
  ENTER_LOWER("locks");
  int fd = MUST(open("region", O_RDONLY));
  struct flock lock = region(F_RDLCK, 2, 3);
  OK(fcntl(fd, F_OFD_SETLK, &lock));
  OK(fcntl(fd, F_OFD_SETLKW, &lock));
  lock = region(F_WRLCK, 0, 0);
  ERR(fcntl(fd, F_OFD_SETLK, &lock), EBADF);
  lock = region(F_WRLCK, 8, 1);
  OK(fcntl(fd, F_OFD_GETLK, &lock));
  CHECK_EQ(lock.l_type, F_UNLCK);
  lock = region(F_RDLCK, -5, 1);
  ERR(fcntl(fd, F_OFD_SETLK, &lock), EINVAL);
  lock = region(F_UNLCK, 0, 0);
  OK(fcntl(fd, F_OFD_SETLK, &lock));
  lock = region(F_RDLCK, 0, 0);
  lock.l_pid = 7;
  ERR(fcntl(fd, F_OFD_SETLK, &lock), EINVAL);
  ERR(fcntl(fd, F_OFD_SETLK, NULL), EFAULT);
}
