// copy_file_range(2), sendfile(2), splice(2), tee(2): data moves between descriptors without the sentry.
#include "../guest.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

TEST(copy_range) {
  guest_write_file("a", "0123456789");
  int in = MUST(open("a", O_RDONLY)), out = MUST(open("b", O_CREAT | O_RDWR, 0644));
  off_t from = 2, to = 1;
  ssize_t copied = syscall(SYS_copy_file_range, in, &from, out, &to, 5, 0);
  if (copied < 0 && errno == EOPNOTSUPP) SKIP("no copy_file_range here");
  CHECK_EQ(copied, 5);
  CHECK_EQ(from, 7);
  CHECK_EQ(to, 6);
  struct stat st;
  OK(fstat(out, &st));
  CHECK_EQ(st.st_size, 6);
  char text[8] = {0};
  CHECK_EQ(pread(out, text, 5, 1), 5);
  CHECK_STR(text, "23456");
  CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
  CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
  ERR(copy_file_range(out, NULL, in, NULL, 1, 0), EBADF);
  ERR(copy_file_range(in, NULL, out, NULL, 1, 7), EINVAL);
}

TEST(sendfile_to_file_pipe_and_socket) {
  guest_write_file("a", "0123456789");
  int in = MUST(open("a", O_RDONLY)), out = MUST(open("b", O_CREAT | O_RDWR, 0644)), pair[2], sockets[2];
  char text[16] = {0};
  CHECK_EQ(sendfile(out, in, NULL, 4), 4);
  CHECK_STR(guest_read_file("b"), "0123");
  MUST(pipe(pair));
  off_t at = 5;
  CHECK_EQ(sendfile(pair[1], in, &at, 100), 5);
  CHECK_EQ(at, 10);
  CHECK_EQ(read(pair[0], text, 16), 5);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  CHECK_EQ(sendfile(sockets[0], in, NULL, 100), 6);
  CHECK_EQ(read(sockets[1], text, 16), 6);
  CHECK_EQ(sendfile(out, in, NULL, 10), 0);
}

TEST(splice_and_tee) {
  guest_write_file("a", "splice me");
  int in = MUST(open("a", O_RDONLY)), one[2], two[2];
  MUST(pipe(one));
  MUST(pipe(two));
  CHECK_EQ(splice(in, NULL, one[1], NULL, 100, 0), 9);
  CHECK_EQ(tee(one[0], two[1], 100, 0), 9);
  int out = MUST(open("b", O_CREAT | O_RDWR, 0644));
  CHECK_EQ(splice(one[0], NULL, out, NULL, 100, 0), 9);
  CHECK_STR(guest_read_file("b"), "splice me");
  char text[16] = {0};
  CHECK_EQ(read(two[0], text, 16), 9);
  struct iovec iov = {"vm", 2};
  CHECK_EQ(vmsplice(one[1], &iov, 1, 0), 2);
  CHECK_EQ(read(one[0], text, 16), 2);
}

TEST(vectors) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  CHECK_EQ(writev(fd, parts, 3), 5);
  CHECK_EQ(pwritev(fd, parts, 3, 5), 5);
  char a[3] = {0}, b[9] = {0};
  struct iovec into[2] = {{a, 2}, {b, 8}};
  CHECK_EQ(preadv(fd, into, 2, 0), 10);
  CHECK_STR(b, "cdeabcde");
  CHECK_EQ(preadv2(fd, into, 2, 0, RWF_HIPRI | 0) >= 0 || errno == EOPNOTSUPP, 1);
  CHECK_EQ(pwritev2(fd, parts, 1, 0, RWF_APPEND), 2);
}

TEST(from_generated_and_image_files) {
  int pair[2], out = MUST(open("out", O_CREAT | O_RDWR, 0644));
  MUST(pipe(pair));
  int passwd = MUST(open("/etc/passwd", O_RDONLY));
  struct stat st;
  OK(fstat(passwd, &st));
  CHECK_EQ(sendfile(out, passwd, NULL, 1 << 20), st.st_size);
}
