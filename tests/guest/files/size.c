// truncate(2), ftruncate(2), fallocate(2), lseek(2) over holes, and the limits of sizes.
#include "../guest.h"
#include <linux/falloc.h>
#include <sys/resource.h>

TEST(truncate_both_ways) {
  guest_write_file("f", "0123456789");
  struct stat st;
  OK(truncate("f", 4));
  CHECK_STR(guest_read_file("f"), "0123");
  OK(truncate("f", 100));
  OK(stat("f", &st));
  CHECK_EQ(st.st_size, 100);
  int fd = MUST(open("f", O_RDWR));
  char byte = 'x';
  CHECK_EQ(pread(fd, &byte, 1, 99), 1);
  CHECK_EQ(byte, 0);
  OK(ftruncate(fd, 2));
  CHECK_STR(guest_read_file("f"), "01");
  ERR(truncate("f", -1), EINVAL);
  ERR(ftruncate(fd, -1), EINVAL);
  ERR(truncate("missing", 0), ENOENT);
  ERR(truncate(".", 0), EISDIR);
  ERR(truncate("f/x", 0), ENOTDIR);
  ERR(ftruncate(555, 0), EBADF);
  int dir = MUST(open(".", O_RDONLY));
  ERR(ftruncate(dir, 0), EINVAL);
  OK(symlink("f", "l"));
  OK(truncate("l", 0));
  OK(stat("f", &st));
  CHECK_EQ(st.st_size, 0);
}

TEST(times_move_with_truncation) {
  guest_write_file("f", "0123");
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
  OK(utimensat(AT_FDCWD, "f", old, 0));
  struct stat st;
  OK(truncate("f", 2));
  OK(stat("f", &st));
  CHECK(st.st_mtim.tv_sec > 1000);
  OK(utimensat(AT_FDCWD, "f", old, 0));
  int fd = MUST(open("f", O_RDWR));
  OK(ftruncate(fd, 2));
  OK(stat("f", &st));
  CHECK(st.st_mtim.tv_sec > 1000);
}

TEST(sync_of_everything) {
  guest_write_file("f", "0123");
  int file = MUST(open("f", O_RDONLY)), directory = MUST(open(".", O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < 2; ++i) {
    int fd = i == 0 ? file : directory;
    OK(fsync(fd));
    OK(fdatasync(fd));
    OK(syncfs(fd));
  }
  int path = MUST(open(".", O_PATH));
  ERR(fsync(path), EBADF);
}

TEST(sparse_files) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  off_t far = 1LL << 32;
  CHECK_EQ(pwrite(fd, "end", 3, far), 3);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, far + 3);
  CHECK(st.st_blocks < 1000);
  char text[4] = {0};
  CHECK_EQ(pread(fd, text, 3, far), 3);
  CHECK_STR(text, "end");
  CHECK_EQ(pread(fd, text, 3, 1 << 20), 3);
  CHECK_EQ(text[0], 0);
  off_t data = lseek(fd, 0, SEEK_DATA);
  if (data != 0) CHECK(data > (1 << 20) && data <= far);
  CHECK_EQ(lseek(fd, 0, SEEK_HOLE), data == 0 ? far + 3 : 0);
  ERR(lseek(fd, far + 100, SEEK_DATA), ENXIO);
  CHECK_EQ(lseek(fd, 0, SEEK_END), far + 3);
  ERR(lseek(fd, -1, SEEK_SET), EINVAL);
}

TEST(allocation) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  struct stat st;
  if (fallocate(fd, 0, 0, 65536) != 0) SKIP("no fallocate here: %s", guest_errno_name(errno));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 65536);
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 131072));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 65536);
  char block[4096];
  memset(block, 'x', sizeof block);
  CHECK_EQ(pwrite(fd, block, 4096, 0), 4096);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  CHECK_EQ(pread(fd, block, 4096, 0), 4096);
  CHECK_EQ(block[0], 0);
  ERR(fallocate(fd, 0, 0, 0), EINVAL);
  ERR(fallocate(fd, 0, -1, 10), EINVAL);
  int readonly = MUST(open("f", O_RDONLY));
  ERR(fallocate(readonly, 0, 0, 10), EBADF);
  OK(posix_fallocate(fd, 0, 200000) == 0 ? 0 : -1);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 200000);
}

TEST(file_size_limit) {
  signal(SIGXFSZ, SIG_IGN);
  // Larger than the test's own output, which may go to a file too.
  struct rlimit limit = {1 << 20, 1 << 20};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  char block[8192] = {0};
  CHECK_EQ(pwrite(fd, block, sizeof block, (1 << 20) - 4096), 4096);
  ERR(pwrite(fd, block, 1, 1 << 20), EFBIG);
  ERR(ftruncate(fd, (1 << 20) + 1), EFBIG);
  ERR(truncate("f", (1 << 20) + 1), EFBIG);
  OK(truncate("f", 1 << 20));
}

TEST(sync_calls) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  CHECK_EQ(write(fd, "x", 1), 1);
  OK(fsync(fd));
  OK(fdatasync(fd));
  OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 ? 0 : -1);
  OK(readahead(fd, 0, 4096));
  int dir = MUST(open(".", O_RDONLY));
  OK(fsync(dir));
}
