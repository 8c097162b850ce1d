// link(2), linkat(2), symlink(2), unlink(2) and the names of open files in /proc/self/fd.
#include "../guest.h"

TEST(hard_links_are_one_file) {
  guest_write_file("a", "one");
  OK(link("a", "b"));
  struct stat a, b;
  OK(stat("a", &a));
  OK(stat("b", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(a.st_nlink, 2);
  guest_write_file("b", "two");
  CHECK_STR(guest_read_file("a"), "two");
  OK(chmod("b", 0600));
  OK(stat("a", &a));
  CHECK_EQ(a.st_mode & 0777, 0600);
  OK(unlink("a"));
  OK(stat("b", &b));
  CHECK_EQ(b.st_nlink, 1);
  CHECK_EQ(b.st_ino, a.st_ino);
  CHECK_STR(guest_read_file("b"), "two");
  int fd = MUST(open("b", O_RDONLY));
  OK(link("b", "c"));
  OK(fstat(fd, &a));
  CHECK_EQ(a.st_nlink, 2);
}

TEST(errors) {
  guest_write_file("f", "");
  OK(mkdir("d", 0755));
  ERR(link("d", "x"), EPERM);
  ERR(link("missing", "x"), ENOENT);
  ERR(link("f", "d"), EEXIST);
  ERR(link("f", "f"), EEXIST);
  ERR(link("f", "missing/x"), ENOENT);
  ERR(link("f", "f/x"), ENOTDIR);
  ERR(linkat(AT_FDCWD, "f", AT_FDCWD, "x", 0x8000), EINVAL);
  ERR(unlink("missing"), ENOENT);
  ERR(unlink("f/x"), ENOTDIR);
  ERR(symlink("t", "f"), EEXIST);
  ERR(symlink("t", "missing/x"), ENOENT);
  ERR(symlinkat("t", 555, "x"), EBADF);
}

TEST(links_to_links) {
  guest_write_file("f", "x");
  OK(symlink("f", "l"));
  OK(link("l", "m"));  // a second name of the link itself
  struct stat a, b;
  OK(lstat("l", &a));
  OK(lstat("m", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK(S_ISLNK(b.st_mode));
  CHECK_EQ(b.st_nlink, 2);
  OK(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
  OK(lstat("n", &b));
  CHECK(S_ISREG(b.st_mode));
  CHECK_EQ(b.st_nlink, 2);
}

TEST(from_a_descriptor) {
  guest_write_file("f", "by fd");
  int fd = MUST(open("f", O_RDONLY));
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  OK(linkat(AT_FDCWD, proc, AT_FDCWD, "g", AT_SYMLINK_FOLLOW));
  CHECK_STR(guest_read_file("g"), "by fd");
  if (geteuid() == 0) {
    OK(linkat(fd, "", AT_FDCWD, "h", AT_EMPTY_PATH));
    CHECK_STR(guest_read_file("h"), "by fd");
  }
  OK(unlink("f"));
  OK(unlink("g"));
  unlink("h");
  // Nothing brings the last name back.
  ERR(linkat(AT_FDCWD, proc, AT_FDCWD, "again", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(fd_links_read_as_paths) {
  guest_write_file("f", "x");
  int fd = MUST(open("f", O_RDONLY));
  char proc[64], target[PATH_MAX] = {0}, want[PATH_MAX + 32];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  OK(readlink(proc, target, sizeof target - 1));
  snprintf(want, sizeof want, "%s/f", guest_dir);
  CHECK_STR(target, want);
  OK(rename("f", "g"));
  memset(target, 0, sizeof target);
  OK(readlink(proc, target, sizeof target - 1));
  snprintf(want, sizeof want, "%s/g", guest_dir);
  CHECK_STR(target, want);
  OK(unlink("g"));
  memset(target, 0, sizeof target);
  OK(readlink(proc, target, sizeof target - 1));
  snprintf(want, sizeof want, "%s/g (deleted)", guest_dir);
  CHECK_STR(target, want);
  OK(mkdir("d", 0755));
  int dir = MUST(open("d", O_RDONLY | O_DIRECTORY));
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", dir);
  memset(target, 0, sizeof target);
  OK(readlink(proc, target, sizeof target - 1));
  snprintf(want, sizeof want, "%s/d", guest_dir);
  CHECK_STR(target, want);
  struct stat a, b;
  OK(stat(proc, &a));
  OK(stat("d", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  OK(lstat(proc, &a));
  CHECK(S_ISLNK(a.st_mode));
}

TEST(walk_through_a_directory_descriptor) {
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "via fd");
  int dir = MUST(open("d", O_RDONLY));
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d/f", dir);
  CHECK_STR(guest_read_file(proc), "via fd");
  snprintf(proc, sizeof proc, "/dev/fd/%d/f", dir);
  CHECK_STR(guest_read_file(proc), "via fd");
  snprintf(proc, sizeof proc, "/proc/self/fd/%d/../d/f", dir);
  CHECK_STR(guest_read_file(proc), "via fd");
  OK(rename("d", "e"));
  snprintf(proc, sizeof proc, "/proc/self/fd/%d/f", dir);
  CHECK_STR(guest_read_file(proc), "via fd");
}

TEST(reopen_by_descriptor) {
  guest_write_file("f", "abc");
  int fd = MUST(open("f", O_RDONLY));
  char text[8] = {0}, proc[64];
  CHECK_EQ(read(fd, text, 1), 1);
  snprintf(proc, sizeof proc, "/dev/fd/%d", fd);
  int again = MUST(open(proc, O_RDWR));  // a fresh open file: own offset, own access
  CHECK_EQ(read(again, text, 8), 3);
  CHECK_EQ(pwrite(again, "X", 1, 0), 1);
  CHECK_STR(guest_read_file("f"), "Xbc");
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  OK(truncate(proc, 1));
  CHECK_STR(guest_read_file("f"), "X");
  OK(chmod(proc, 0400));
  struct stat st;
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode & 0777, 0400);
  ERR(open("/proc/self/fd/777", O_RDONLY), ENOENT);
  ERR(open("/dev/fd/777", O_RDONLY), ENOENT);
  ERR(open(proc, O_RDONLY | O_NOFOLLOW), ELOOP);
}

TEST(unlink_and_recreate) {
  for (int i = 0; i < 50; ++i) {
    guest_write_file("f", i % 2 ? "odd" : "even");
    CHECK_STR(guest_read_file("f"), i % 2 ? "odd" : "even");
    OK(unlink("f"));
    ERR(access("f", F_OK), ENOENT);
    OK(mkdir("f", 0755));
    ERR(unlink("f"), EISDIR);
    OK(rmdir("f"));
    OK(symlink("x", "f"));
    ERR(open("f", O_RDONLY), ENOENT);
    OK(unlink("f"));
  }
}

TEST(other_peoples_files) {
  NEEDS_ROOT();
  // fs.protected_hardlinks, which every distribution switches on.
  char* setting = guest_read_file("/proc/sys/fs/protected_hardlinks");
  if (strcmp(setting, "1\n") != 0) SKIP("fs.protected_hardlinks is not 1");
  OK(chmod(".", 0777));
  guest_write_file("private", "x");
  guest_write_file("public", "x");
  OK(chmod("public", 0666));
  guest_write_file("setuid", "x");
  OK(chmod("setuid", 04777));
  OK(symlink("public", "l"));
  OK(mkfifo("p", 0666));
  OK(mkdir("gone", 0777));
  int gone = MUST(open("gone", O_RDONLY | O_DIRECTORY));
  OK(rmdir("gone"));
  guest_become(65534);
  ERR(linkat(AT_FDCWD, "private", gone, "a", 0), ENOENT);  // asked before whose the file is
  ERR(link("private", "a"), EPERM);
  ERR(link("setuid", "a"), EPERM);
  ERR(link("l", "a"), EPERM);
  ERR(link("p", "a"), EPERM);
  OK(link("public", "a"));
}
