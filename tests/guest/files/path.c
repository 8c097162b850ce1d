// path_resolution(7): dots, slashes, symbolic links and their limits.
#include "../guest.h"

TEST(dots_and_slashes) {
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  guest_write_file("a/f", "here");
  struct stat one, two;
  const char* same[] = {"a/f", "./a/f", "a/./f", "a//f", "a/b/../f", "a/b/.././b/..//f", "../path.dots_and_slashes/a/f"};
  OK(stat(same[0], &one));
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i) {
    OK(stat(same[i], &two));
    CHECK_EQ(one.st_ino, two.st_ino);
  }
  ERR(stat("a/missing/../f", &two), ENOENT);
  ERR(stat("a/f/../f", &two), ENOTDIR);
  ERR(stat("a/f/.", &two), ENOTDIR);
  OK(stat("/", &one));
  OK(stat("/..", &two));
  CHECK_EQ(one.st_ino, two.st_ino);
  OK(stat("/../../..", &two));
  CHECK_EQ(one.st_ino, two.st_ino);
  OK(stat("//", &two));
  CHECK_EQ(one.st_ino, two.st_ino);
  OK(stat("/../etc/../etc/passwd", &two));
}

TEST(trailing_slash) {
  OK(mkdir("d", 0755));
  guest_write_file("f", "");
  OK(symlink("d", "to_d"));
  OK(symlink("f", "to_f"));
  OK(symlink("missing", "to_none"));
  struct stat st;
  OK(stat("d/", &st));
  OK(stat("d//", &st));
  ERR(stat("f/", &st), ENOTDIR);
  OK(lstat("to_d/", &st));
  CHECK(S_ISDIR(st.st_mode));
  ERR(lstat("to_f/", &st), ENOTDIR);
  ERR(lstat("to_none/", &st), ENOENT);
  ERR(unlink("f/"), ENOTDIR);
  ERR(unlink("to_d/"), ENOTDIR);
  ERR(rename("f", "g/"), ENOTDIR);
  ERR(rename("f/", "g"), ENOTDIR);
  OK(rename("d/", "e/"));
  OK(mkdir("n/", 0755));
  OK(rmdir("n/"));
  ERR(rmdir("to_d/"), ENOTDIR);
  OK(symlink("e", "to_e"));
  ERR(rmdir("to_e/"), ENOTDIR);
  char buffer[64];
  ERR(readlink("to_e/", buffer, sizeof buffer), EINVAL);
  ERR(symlink("x", "new/"), ENOENT);
  ERR(link("f", "new/"), ENOENT);
  ERR(mknod("new/", S_IFREG | 0644, 0), ENOENT);
  ERR(mkdir("to_none/", 0755), EEXIST);
  ERR(rmdir("e/."), EINVAL);
  ERR(rmdir("e/.."), ENOTEMPTY);
  ERR(rmdir("."), EINVAL);
  ERR(mkdir(".", 0755), EEXIST);
  ERR(mkdir("..", 0755), EEXIST);
  ERR(mkdir("/", 0755), EEXIST);
  ERR(unlink("."), EISDIR);
  ERR(unlink("/"), EISDIR);
  ERR(rename(".", "x"), EBUSY);
  ERR(rename("e", "."), EBUSY);
}

TEST(forty_links_but_not_forty_one) {
  guest_write_file("end", "x");
  char from[16], to[16] = "end";
  for (int i = 1; i <= 41; ++i) {
    snprintf(from, sizeof from, "l%d", i);
    OK(symlink(to, from));
    strcpy(to, from);
  }
  struct stat st;
  int found = -1;
  for (int i = 0; i < 50 && found < 0; ++i) found = stat("l40", &st);
  CHECK_EQ(found, 0);
  ERR(stat("l41", &st), ELOOP);
  ERR(open("l41", O_RDONLY), ELOOP);
  OK(lstat("l41", &st));
  // Linux counts links twice when it has to start the walk again, so under load the limit comes early.
  int fd = -1;
  for (int i = 0; i < 50 && fd < 0; ++i) fd = open("l40", O_RDONLY);
  CHECK(fd >= 0);
  ERR(access("l41", F_OK), ELOOP);
  OK(symlink("loop", "loop"));
  ERR(stat("loop", &st), ELOOP);
  ERR(stat("loop/x", &st), ELOOP);
  ERR(open("loop", O_CREAT | O_WRONLY, 0644), ELOOP);
  // Forty counts links of the whole walk, not the depth.
  OK(symlink(".", "dot"));
  char path[512] = "";
  for (int i = 0; i < 40; ++i) strcat(path, "dot/");
  strcat(path, "end");
  for (int i = 0; i < 50 && (found = stat(path, &st)) < 0; ++i) {
  }
  CHECK_EQ(found, 0);
  memmove(path + 4, path, strlen(path) + 1);
  memcpy(path, "dot/", 4);
  ERR(stat(path, &st), ELOOP);
}

TEST(long_names) {
  char name[300];
  memset(name, 'n', sizeof name);
  name[255] = 0;
  OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
  struct stat st;
  OK(stat(name, &st));
  OK(unlink(name));
  OK(mkdir(name, 0755));
  OK(rmdir(name));
  name[255] = 'n';
  name[256] = 0;
  ERR(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
  ERR(stat(name, &st), ENAMETOOLONG);
  ERR(mkdir(name, 0755), ENAMETOOLONG);
  ERR(symlink("x", name), ENAMETOOLONG);
  guest_write_file("f", "");
  ERR(link("f", name), ENAMETOOLONG);
  ERR(rename("f", name), ENAMETOOLONG);
  ERR(unlink(name), ENAMETOOLONG);
  ERR(access(name, F_OK), ENAMETOOLONG);
}

TEST(long_paths) {
  guest_write_file("f", "");
  static char path[4200];
  struct stat st;
  // 4095 bytes and the NUL fit PATH_MAX.
  memset(path, '/', sizeof path);
  memcpy(path, ".", 1);
  path[4094] = 'f';
  path[4095] = 0;
  OK(stat(path, &st));
  OK(open(path, O_RDONLY));
  path[4094] = '/';
  path[4095] = 'f';
  path[4096] = 0;
  ERR(stat(path, &st), ENAMETOOLONG);
  ERR(open(path, O_RDONLY), ENAMETOOLONG);
  ERR(mkdir(path, 0755), ENAMETOOLONG);
  ERR(symlink(path, "l"), ENAMETOOLONG);
  path[4095] = 0;
  static char target[4097];
  memset(target, 't', 4095);
  target[4095] = 0;
  // A target of PATH_MAX-1 fits where the file system takes it.
  if (symlink(target, "l") == 0) {
    char got[4097];
    CHECK_EQ(readlink("l", got, sizeof got), 4095);
  } else {
    CHECK_EQ(errno, ENAMETOOLONG);
  }
}

TEST(deeper_than_path_max) {
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  for (int i = 0; i < 25; ++i) {
    MUST(mkdir(name, 0755));
    MUST(chdir(name));
  }
  guest_write_file("leaf", "deep");
  CHECK_STR(guest_read_file("leaf"), "deep");
  static char cwd[8192];
  ERR(syscall(SYS_getcwd, cwd, sizeof cwd), ENAMETOOLONG);
  struct stat st;
  OK(stat("../../..", &st));
}

TEST(empty_and_null_components) {
  struct stat st;
  ERR(stat("", &st), ENOENT);
  ERR(open("", O_RDONLY | O_CREAT, 0644), ENOENT);
  ERR(mkdir("", 0755), ENOENT);
  ERR(rename("", "x"), ENOENT);
  ERR(unlink(""), ENOENT);
  ERR(chdir(""), ENOENT);
  char buffer[16];
  ERR(readlink("", buffer, sizeof buffer), ENOENT);
  ERR(symlink("", "l"), ENOENT);
}

TEST(readlink_details) {
  OK(symlink("0123456789", "l"));
  char buffer[32];
  memset(buffer, 'z', sizeof buffer);
  CHECK_EQ(readlink("l", buffer, sizeof buffer), 10);
  CHECK_EQ(buffer[10], 'z');
  memset(buffer, 'z', sizeof buffer);
  CHECK_EQ(readlink("l", buffer, 4), 4);
  CHECK_EQ(buffer[4], 'z');
  ERR(syscall(SYS_readlink, "l", buffer, 0), EINVAL);
  ERR(syscall(SYS_readlink, "l", buffer, -1), EINVAL);
  guest_write_file("f", "");
  ERR(readlink("f", buffer, sizeof buffer), EINVAL);
  ERR(readlink(".", buffer, sizeof buffer), EINVAL);
  ERR(readlink("missing", buffer, sizeof buffer), ENOENT);
  ERR(readlink("f/x", buffer, sizeof buffer), ENOTDIR);
}

TEST(links_in_the_middle) {
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  guest_write_file("a/b/f", "in b");
  guest_write_file("a/top", "in a");
  OK(symlink("a/b", "relative"));
  char target[PATH_MAX + 16];
  snprintf(target, sizeof target, "%s/a/b", guest_dir);
  OK(symlink(target, "absolute"));
  OK(symlink("../top", "a/b/up"));
  CHECK_STR(guest_read_file("relative/f"), "in b");
  CHECK_STR(guest_read_file("absolute/f"), "in b");
  CHECK_STR(guest_read_file("relative/up"), "in a");
  // `..` after a link leaves the directory the link led to.
  CHECK_STR(guest_read_file("relative/../top"), "in a");
  OK(symlink("missing/x", "broken"));
  ERR(open("broken", O_CREAT | O_WRONLY, 0644), ENOENT);
  OK(symlink("a/top/", "slashed"));
  ERR(open("slashed", O_RDONLY), ENOTDIR);
  OK(symlink("a/", "slashed_dir"));
  CHECK_STR(guest_read_file("slashed_dir/top"), "in a");
}

TEST(odd_bytes_in_names) {
  const char* names[] = {"sp ace", "new\nline", "tab\t", "\x01\x7f", "\xff\xfe", "caf\xc3\xa9", "-dash", "*?[", "a\\b", "..."};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    guest_write_file(names[i], names[i]);
    CHECK_STR(guest_read_file(names[i]), names[i]);
    OK(unlink(names[i]));
  }
}
