// mkdir(2), rmdir(2), rename(2) and renameat2(2).
#include "../guest.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

static int rename2(const char* from, const char* to, unsigned flags) {
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static ino_t number_of(const char* path) {
  struct stat st;
  return lstat(path, &st) == 0 ? st.st_ino : 0;
}

TEST(mkdir_and_rmdir) {
  struct stat st;
  OK(mkdir("d", 01777));
  OK(stat("d", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01755);
  ERR(mkdir("d", 0755), EEXIST);
  ERR(mkdir("missing/d", 0755), ENOENT);
  guest_write_file("f", "");
  ERR(mkdir("f", 0755), EEXIST);
  ERR(mkdir("f/d", 0755), ENOTDIR);
  OK(symlink("nowhere", "l"));
  ERR(mkdir("l", 0755), EEXIST);
  guest_write_file("d/f", "");
  ERR(rmdir("d"), ENOTEMPTY);
  ERR(rmdir("f"), ENOTDIR);
  ERR(rmdir("l"), ENOTDIR);
  ERR(rmdir("missing"), ENOENT);
  ERR(unlink("d"), EISDIR);
  OK(unlink("d/f"));
  OK(rmdir("d"));
  ERR(stat("d", &st), ENOENT);
  OK(mkdirat(AT_FDCWD, "e", 0755));
  ERR(unlinkat(AT_FDCWD, "e", 0), EISDIR);
  ERR(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
  ERR(unlinkat(AT_FDCWD, "f", 0x4000), EINVAL);
  OK(unlinkat(AT_FDCWD, "e", AT_REMOVEDIR));
}

TEST(link_counts_of_directories) {
  struct stat st;
  OK(mkdir("d", 0755));
  OK(stat("d", &st));
  if (st.st_nlink == 1) SKIP("this file system does not count the links of directories");
  CHECK_EQ(st.st_nlink, 2);
  OK(mkdir("d/a", 0755));
  OK(mkdir("d/b", 0755));
  OK(stat("d", &st));
  CHECK_EQ(st.st_nlink, 4);
  OK(rename("d/a", "a"));
  OK(stat("d", &st));
  CHECK_EQ(st.st_nlink, 3);
  OK(rmdir("d/b"));
  OK(stat("d", &st));
  CHECK_EQ(st.st_nlink, 2);
}

TEST(removed_but_open_directory) {
  OK(mkdir("d", 0755));
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  OK(rmdir("d"));
  struct stat st;
  OK(fstat(fd, &st));
  ERR(openat(fd, "f", O_CREAT | O_WRONLY, 0644), ENOENT);
  ERR(mkdirat(fd, "x", 0755), ENOENT);
  ERR(fstatat(fd, "x", &st, 0), ENOENT);
  OK(fstatat(fd, ".", &st, 0));
  // A new directory of the same name is another one.
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "");
  ERR(fstatat(fd, "f", &st, 0), ENOENT);
}

TEST(files_over_files) {
  guest_write_file("a", "A");
  guest_write_file("b", "B");
  ino_t a = number_of("a");
  struct stat st;
  int fd = MUST(open("b", O_RDONLY));
  OK(rename("a", "b"));
  ERR(access("a", F_OK), ENOENT);
  CHECK_STR(guest_read_file("b"), "A");
  CHECK_EQ(number_of("b"), a);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  OK(rename("b", "b"));
  CHECK_STR(guest_read_file("b"), "A");
  OK(link("b", "hard"));
  // Two names of one file: nothing happens.
  OK(rename("b", "hard"));
  OK(access("b", F_OK));
  OK(access("hard", F_OK));
  ERR(rename("missing", "x"), ENOENT);
  ERR(rename("b", "missing/x"), ENOENT);
  ERR(rename("b", "hard/x"), ENOTDIR);
}

TEST(directories) {
  OK(mkdir("d", 0755));
  OK(mkdir("d/sub", 0755));
  guest_write_file("d/sub/f", "deep");
  OK(mkdir("empty", 0755));
  OK(mkdir("full", 0755));
  guest_write_file("full/x", "");
  guest_write_file("file", "");
  ERR(rename("d", "full"), ENOTEMPTY);
  ERR(rename("d", "file"), ENOTDIR);
  ERR(rename("file", "d"), EISDIR);
  ERR(rename("d", "d/sub/x"), EINVAL);
  ERR(rename("d", "d/x"), EINVAL);
  ERR(rename("d/sub", "d"), ENOTEMPTY);
  ino_t number = number_of("d");
  OK(rename("d", "empty"));
  CHECK_EQ(number_of("empty"), number);
  CHECK_STR(guest_read_file("empty/sub/f"), "deep");
  OK(rename("empty/sub", "up"));
  CHECK_STR(guest_read_file("up/f"), "deep");
  struct stat st, here;
  OK(stat("up/..", &st));
  OK(stat(".", &here));
  CHECK_EQ(st.st_ino, here.st_ino);
}

TEST(open_descriptors_follow_a_moved_directory) {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("a/d", 0755));
  guest_write_file("a/d/f", "moved");
  guest_write_file("b/mark", "");
  int fd = MUST(open("a/d", O_RDONLY | O_DIRECTORY));
  OK(rename("a/d", "b/e"));
  OK(faccessat(fd, "f", F_OK, 0));
  OK(faccessat(fd, "../mark", F_OK, 0));
  OK(openat(fd, "new", O_CREAT | O_WRONLY, 0644));
  OK(access("b/e/new", F_OK));
  OK(fchdir(fd));
  char cwd[PATH_MAX];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK(strlen(cwd) > 4 && strcmp(cwd + strlen(cwd) - 4, "/b/e") == 0);
}

TEST(symbolic_links) {
  OK(mkdir("d", 0755));
  OK(symlink("d", "l"));
  guest_write_file("f", "");
  OK(rename("l", "m"));
  CHECK_EQ(number_of("d") == number_of("m"), 0);
  OK(rename("f", "m"));  // replaces the link, not the directory
  struct stat st;
  OK(lstat("m", &st));
  CHECK(S_ISREG(st.st_mode));
  OK(symlink("d", "l"));
  ERR(rename("d", "l"), ENOTDIR);
}

TEST(noreplace) {
  guest_write_file("a", "A");
  guest_write_file("b", "B");
  ERR(rename2("a", "b", RENAME_NOREPLACE), EEXIST);
  OK(rename2("a", "c", RENAME_NOREPLACE));
  CHECK_STR(guest_read_file("c"), "A");
  OK(symlink("nowhere", "l"));
  ERR(rename2("c", "l", RENAME_NOREPLACE), EEXIST);
}

TEST(exchange) {
  guest_write_file("a", "A");
  OK(mkdir("d", 0755));
  guest_write_file("d/in", "D");
  ino_t a = number_of("a"), d = number_of("d");
  OK(rename2("a", "d", RENAME_EXCHANGE));
  CHECK_EQ(number_of("a"), d);
  CHECK_EQ(number_of("d"), a);
  CHECK_STR(guest_read_file("a/in"), "D");
  CHECK_STR(guest_read_file("d"), "A");
  ERR(rename2("a", "missing", RENAME_EXCHANGE), ENOENT);
  ERR(rename2("a", "a/in", RENAME_EXCHANGE), EINVAL);
  OK(mkdir("a/deep", 0755));
  ERR(rename2("a/deep", "a", RENAME_EXCHANGE), EINVAL);
}

TEST(wrong_flags) {
  guest_write_file("a", "");
  ERR(rename2("a", "b", 0x100), EINVAL);
  ERR(rename2("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
  ERR(rename2("a", "b", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
}

TEST(into_another_file_system) {
  guest_write_file("a", "");
  ERR(rename("a", "/proc/x"), EXDEV);
  ERR(link("a", "/dev/x"), EXDEV);
  ERR(rename("/proc/self/status", "x"), EXDEV);
}

TEST(across_directories_with_descriptors) {
  OK(mkdir("x", 0755));
  OK(mkdir("y", 0755));
  int x = MUST(open("x", O_PATH)), y = MUST(open("y", O_RDONLY));
  guest_write_file("x/f", "F");
  OK(renameat(x, "f", y, "g"));
  CHECK_STR(guest_read_file("y/g"), "F");
  ERR(renameat(x, "f", y, "g"), ENOENT);
  ERR(renameat(555, "f", y, "g"), EBADF);
  ERR(renameat(y, "g", 555, "h"), EBADF);
}

TEST(busy_directories) {
  if (geteuid() == 0) {
    ERR(rmdir("/proc"), EBUSY);
    ERR(rename("/proc", "/procx"), EBUSY);
  }
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rmdir("../d"));  // a working directory may be removed
  ERR(mkdir("x", 0755), ENOENT);
}

static void check_tree(const char* top) {
  char path[256];
  struct stat st;
  snprintf(path, sizeof path, "%s/f", top);
  CHECK_STR(guest_read_file(path), "content");
  snprintf(path, sizeof path, "%s/sub/deep/g", top);
  CHECK_STR(guest_read_file(path), "deep");
  OK(stat(path, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  snprintf(path, sizeof path, "%s/sub/l", top);
  CHECK_STR(guest_read_file(path), "content");
  snprintf(path, sizeof path, "%s/sub", top);
  OK(stat(path, &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 0750);
  snprintf(path, sizeof path, "%s/empty", top);
  OK(stat(path, &st));
}

TEST(a_directory_that_was_there_before) {
  ENTER_LOWER("rename");
  struct stat before, after;
  OK(stat("moved/large", &before));
  OK(rename("moved", "arrived"));
  ERR(access("moved", F_OK), ENOENT);
  check_tree("arrived");
  OK(stat("arrived/large", &after));
  CHECK_EQ(after.st_size, before.st_size);
  CHECK_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  // What takes the old name shows nothing of what was below it.
  OK(mkdir("moved", 0755));
  ERR(access("moved/f", F_OK), ENOENT);
  OK(rename("arrived", "moved"));
  check_tree("moved");
  guest_write_file("moved/f", "new");
  CHECK_STR(guest_read_file("moved/f"), "new");
}

TEST(a_directory_with_a_process_in_it) {
  ENTER_LOWER("rename");
  char path[PATH_MAX];
  int directory = MUST(open("busy/sub", O_RDONLY | O_DIRECTORY));
  OK(chdir("busy/sub/deep"));
  OK(rename("../../../busy", "../../../elsewhere"));
  CHECK(getcwd(path, sizeof path) != NULL && strstr(path, "/rename/elsewhere/sub/deep") != NULL);
  guest_write_file("new", "made after the move");
  CHECK_STR(guest_read_file("../../../elsewhere/sub/deep/new"), "made after the move");
  OK(mkdirat(directory, "by-descriptor", 0755));
  OK(access("../by-descriptor", F_OK));
  OK(unlinkat(directory, "deep/g", 0));
  ERR(access("g", F_OK), ENOENT);
  OK(chdir("../../.."));
  OK(access("elsewhere/sub/by-descriptor", F_OK));
}

TEST(into_directories_that_were_there_before) {
  ENTER_LOWER("rename");
  OK(mkdir("target", 0755));
  OK(rename("parent/sub", "target/sub"));
  CHECK_STR(guest_read_file("target/sub/deep/g"), "deep");
  ERR(rename("target/sub", "parent"), ENOTEMPTY);
  ERR(rename("parent", "parent/empty/x"), EINVAL);
  OK(rename("target/sub", "parent/empty"));  // over an empty directory of the lower layer
  CHECK_STR(guest_read_file("parent/empty/deep/g"), "deep");
  OK(rename("parent/empty", "parent/sub"));
  OK(mkdir("parent/empty", 0755));
  check_tree("parent");
  ERR(rename("parent/f", "parent/sub"), EISDIR);
  ERR(rename("parent/sub", "parent/f"), ENOTDIR);
}

TEST(directories_change_places) {
  ENTER_LOWER("rename");
  guest_write_file("swapped/only-here", "x");
  OK(syscall(SYS_renameat2, AT_FDCWD, "swapped", AT_FDCWD, "kept", 2));
  check_tree("swapped");
  check_tree("kept");
  OK(access("kept/only-here", F_OK));
  ERR(access("swapped/only-here", F_OK), ENOENT);
}

TEST(a_large_directory_that_was_there_before) {
  ENTER_LOWER("rename");
  OK(unlink("many/3/3"));
  guest_write_file("many/4/4", "changed");
  OK(rename("many", "moved-many"));
  char path[64], text[16];
  for (int number = 0; number < 700; ++number) {
    snprintf(path, sizeof path, "moved-many/%d/%d", number % 7, number);
    snprintf(text, sizeof text, "%d", number);
    if (number == 3) {
      ERR(access(path, F_OK), ENOENT);
    } else {
      CHECK_STR(guest_read_file(path), number == 4 ? "changed" : text);
    }
  }
  int removed = 0;
  for (int number = 0; number < 700; ++number) {
    snprintf(path, sizeof path, "moved-many/%d/%d", number % 7, number);
    removed += unlink(path) == 0;
  }
  CHECK_EQ(removed, 699);
  for (int number = 0; number < 7; ++number) {
    snprintf(path, sizeof path, "moved-many/%d", number);
    OK(rmdir(path));
  }
  OK(rmdir("moved-many"));
  ERR(access("many", F_OK), ENOENT);
}
