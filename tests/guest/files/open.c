// open(2): what each flag does, and which errno a wrong open gives.
#include "../guest.h"

TEST(creates_with_mode_and_umask) {
  umask(027);
  int fd = MUST(open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0777));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0750);
  CHECK_EQ(st.st_size, 0);
  CHECK_EQ(st.st_nlink, 1);
  CHECK_EQ(st.st_uid, geteuid());
  umask(0);
  OK(close(OK(open("g", O_CREAT | O_WRONLY, 06777))));
  OK(stat("g", &st));
  CHECK_EQ(st.st_mode & 01777, 0777);
  // A mode without write permission still gives the creator a writable descriptor.
  fd = OK(open("readonly", O_CREAT | O_RDWR, 0444));
  CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(exclusive) {
  OK(open("f", O_CREAT | O_EXCL | O_WRONLY, 0600));
  ERR(open("f", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  OK(symlink("nowhere", "dangling"));
  ERR(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  ERR(access("nowhere", F_OK), ENOENT);
  ERR(open(".", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  OK(open("dangling", O_CREAT | O_WRONLY, 0600));
  OK(access("nowhere", F_OK));
}

TEST(truncates) {
  guest_write_file("f", "hello");
  struct stat st;
  int fd = OK(open("f", O_WRONLY));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 5);
  OK(open("f", O_WRONLY | O_TRUNC));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 0);
  OK(symlink("f", "link"));
  guest_write_file("f", "again");
  OK(open("link", O_WRONLY | O_TRUNC));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 0);
  ERR(open(".", O_RDONLY | O_TRUNC), EISDIR);
}

TEST(appends) {
  guest_write_file("f", "one");
  int a = MUST(open("f", O_WRONLY | O_APPEND)), b = MUST(open("f", O_WRONLY | O_APPEND));
  CHECK_EQ(write(a, "two", 3), 3);
  CHECK_EQ(write(b, "three", 5), 5);
  CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
  CHECK_EQ(write(a, "!", 1), 1);
  CHECK_STR(guest_read_file("f"), "onetwothree!");
  CHECK_EQ(fcntl(a, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_WRONLY);
  OK(fcntl(a, F_SETFL, 0));
  CHECK_EQ(pwrite(a, "O", 1, 0), 1);
  CHECK_STR(guest_read_file("f"), "Onetwothree!");
}

TEST(directory_flag) {
  guest_write_file("f", "");
  OK(mkdir("d", 0755));
  OK(symlink("d", "to_d"));
  OK(symlink("f", "to_f"));
  OK(open("d", O_RDONLY | O_DIRECTORY));
  OK(open("to_d", O_RDONLY | O_DIRECTORY));
  ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  ERR(open("to_f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  ERR(open("missing", O_RDONLY | O_DIRECTORY), ENOENT);
  ERR(open("d", O_WRONLY), EISDIR);
  ERR(open("d", O_RDWR), EISDIR);
  ERR(open("d", O_RDWR | O_DIRECTORY), EISDIR);
  ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
  ERR(open("new/", O_RDONLY | O_CREAT, 0644), EISDIR);
}

TEST(nofollow) {
  guest_write_file("f", "x");
  OK(mkdir("d", 0755));
  OK(symlink("f", "link"));
  OK(symlink("d", "dlink"));
  guest_write_file("d/in", "");
  ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  ERR(open("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
  ERR(open("dlink", O_RDONLY | O_NOFOLLOW), ELOOP);
  ERR(open("dlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
  OK(open("dlink/in", O_RDONLY | O_NOFOLLOW));
  OK(open("f", O_RDONLY | O_NOFOLLOW));
  OK(open("dlink/", O_RDONLY | O_NOFOLLOW));
}

TEST(path_descriptors) {
  guest_write_file("f", "content");
  OK(symlink("f", "link"));
  int fd = MUST(open("f", O_PATH));
  char byte;
  ERR(read(fd, &byte, 1), EBADF);
  ERR(write(fd, &byte, 1), EBADF);
  ERR(lseek(fd, 0, SEEK_SET), EBADF);
  ERR(ftruncate(fd, 0), EBADF);
  ERR(fchmod(fd, 0600), EBADF);
  ERR(fchown(fd, -1, -1), EBADF);
  struct stat a, b;
  OK(fstat(fd, &a));
  OK(stat("f", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(a.st_size, 7);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
  int link = MUST(open("link", O_PATH | O_NOFOLLOW));
  OK(fstat(link, &a));
  CHECK(S_ISLNK(a.st_mode));
  char target[16] = {0};
  CHECK_EQ(readlinkat(link, "", target, sizeof target), 1);
  CHECK_STR(target, "f");
  int dir = MUST(open(".", O_PATH));
  OK(fstatat(dir, "f", &a, 0));
  CHECK_EQ(a.st_size, 7);
  OK(openat(dir, "f", O_RDONLY));
  ERR(openat(fd, "f", O_RDONLY), ENOTDIR);
  char buffer[512];
  ERR(syscall(SYS_getdents64, dir, buffer, sizeof buffer), EBADF);
  // Every flag but O_CLOEXEC, O_DIRECTORY and O_NOFOLLOW is ignored with O_PATH.
  OK(open("f", O_PATH | O_TRUNC | O_RDWR));
  CHECK_STR(guest_read_file("f"), "content");
  ERR(open("missing", O_PATH | O_CREAT, 0644), ENOENT);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  int again = MUST(open(proc, O_RDONLY));
  CHECK_EQ(read(again, &byte, 1), 1);
}

TEST(path_descriptor_of_a_forbidden_file) {
  guest_write_file("f", "x");
  OK(chmod("f", 0));
  guest_become(65534);
  int fd = OK(open("f", O_PATH));
  struct stat st;
  OK(fstat(fd, &st));
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  ERR(open(proc, O_RDONLY), EACCES);
}

TEST(tmpfile) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0640);
  if (fd < 0 && errno == EOPNOTSUPP) SKIP("no O_TMPFILE here");
  REQUIRE(fd >= 0);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  CHECK_EQ(write(fd, "data", 4), 4);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  OK(linkat(AT_FDCWD, proc, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
  CHECK_STR(guest_read_file("linked"), "data");
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 1);
  ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
  ERR(open("missing", O_TMPFILE | O_RDWR, 0600), ENOENT);
  ERR(open("linked", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
  int excl = MUST(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0600));
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", excl);
  ERR(linkat(AT_FDCWD, proc, AT_FDCWD, "no", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(direct) {
  guest_write_file("f", "");
  int fd = open("f", O_RDWR | O_DIRECT);
  if (fd < 0 && errno == EINVAL) SKIP("no O_DIRECT on this file system");
  REQUIRE(fd >= 0);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
  void* block = aligned_alloc(4096, 4096);
  memset(block, 'x', 4096);
  CHECK_EQ(pwrite(fd, block, 4096, 0), 4096);
  memset(block, 0, 4096);
  CHECK_EQ(pread(fd, block, 4096, 0), 4096);
  CHECK_EQ(((char*)block)[4095], 'x');
}

TEST(lowest_number_and_cloexec) {
  int a = MUST(open(".", O_RDONLY));
  int b = MUST(open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  CHECK_EQ(b, a + 1);
  CHECK_EQ(fcntl(a, F_GETFD), 0);
  CHECK_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
  OK(close(a));
  CHECK_EQ(open("f", O_RDONLY), a);
  ERR(close(b + 50), EBADF);
}

TEST(reopened_by_path_only) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0640);
  if (fd < 0 && errno == EOPNOTSUPP) SKIP("no O_TMPFILE here");
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int path_only = MUST(open(link, O_PATH));
  CHECK(fcntl(path_only, F_GETFL) & O_PATH);
  ERR(write(path_only, "x", 1), EBADF);
  int ends[2];
  MUST(pipe(ends));
  snprintf(link, sizeof link, "/proc/self/fd/%d", ends[1]);
  path_only = MUST(open(link, O_PATH));
  CHECK(fcntl(path_only, F_GETFL) & O_PATH);
  ERR(write(path_only, "x", 1), EBADF);
}

TEST(flags_are_reported) {
  guest_write_file("f", "");
  int fd = MUST(open("f", O_RDWR | O_NONBLOCK | O_NOATIME));
  CHECK_EQ(fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0100000, O_RDWR | O_NONBLOCK | O_NOATIME);
  fd = MUST(open("f", O_WRONLY | O_SYNC));
  CHECK_EQ(fcntl(fd, F_GETFL) & O_SYNC, O_SYNC);
  fd = MUST(open(".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  CHECK_EQ(fcntl(fd, F_GETFL) & (O_DIRECTORY | O_NOFOLLOW | O_ACCMODE), O_DIRECTORY | O_NOFOLLOW);
}

TEST(access_modes) {
  guest_write_file("f", "x");
  char byte = 0;
  int r = MUST(open("f", O_RDONLY)), w = MUST(open("f", O_WRONLY));
  ERR(write(r, &byte, 1), EBADF);
  ERR(read(w, &byte, 1), EBADF);
  ERR(ftruncate(r, 0), EINVAL);
  // Access mode 3 asks for both permissions and gives neither; ioctl only.
  int none = OK(open("f", O_ACCMODE));
  if (none >= 0) {
    ERR(read(none, &byte, 1), EBADF);
    ERR(write(none, &byte, 1), EBADF);
  }
}

TEST(wrong_paths) {
  guest_write_file("f", "");
  ERR(open("", O_RDONLY), ENOENT);
  ERR(open((char*)1, O_CREAT | O_DIRECTORY, 0644), EINVAL);
  ERR(open("missing", O_RDONLY), ENOENT);
  ERR(open("missing/f", O_RDONLY | O_CREAT, 0644), ENOENT);
  ERR(open("f/x", O_RDONLY), ENOTDIR);
  ERR(open("f/", O_RDONLY), ENOTDIR);
  ERR(openat(999, "f", O_RDONLY), EBADF);
  OK(openat(999, guest_dir, O_RDONLY));
  int fd = MUST(open("f", O_RDONLY));
  ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
  OK(mkdir("d", 0755));
  int dir = MUST(open("d", O_RDONLY));
  OK(openat(dir, "new", O_CREAT | O_WRONLY, 0644));
  OK(access("d/new", F_OK));
  OK(openat(dir, "../f", O_RDONLY));
}

TEST(creat_and_readonly_create) {
  int fd = OK(creat("f", 0600));
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
  CHECK_EQ(write(fd, "abc", 3), 3);
  fd = OK(open("f", O_RDONLY | O_CREAT, 0));
  char text[4] = {0};
  CHECK_EQ(read(fd, text, 3), 3);
  CHECK_STR(text, "abc");
}

TEST(noatime_needs_the_owner) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  guest_become(65534);
  ERR(open("f", O_RDONLY | O_NOATIME), EPERM);
  OK(open("f", O_RDONLY));
}

TEST(unlinked_file_lives_on) {
  guest_write_file("f", "still here");
  int fd = MUST(open("f", O_RDWR));
  OK(unlink("f"));
  ERR(open("f", O_RDONLY), ENOENT);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(st.st_size, 10);
  char text[16] = {0};
  CHECK_EQ(pread(fd, text, 15, 0), 10);
  CHECK_STR(text, "still here");
  OK(fchmod(fd, 0600));
  OK(ftruncate(fd, 3));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 3);
  CHECK_EQ(st.st_mode & 0777, 0600);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  int again = OK(open(proc, O_RDONLY));
  CHECK_EQ(read(again, text, 15), 3);
}
