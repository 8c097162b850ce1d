// stat(2), statx(2) and what they must agree about.
#include "../guest.h"
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define SAME(a, b, field) CHECK_EQ((a)->field, (b)->field)

static void check_same(const char* what, const struct stat* a, const struct stat* b) {
  int before = guest_failures;
  SAME(a, b, st_dev);
  SAME(a, b, st_ino);
  SAME(a, b, st_mode);
  SAME(a, b, st_nlink);
  SAME(a, b, st_uid);
  SAME(a, b, st_gid);
  SAME(a, b, st_rdev);
  SAME(a, b, st_size);
  SAME(a, b, st_blksize);
  SAME(a, b, st_blocks);
  SAME(a, b, st_mtim.tv_sec);
  SAME(a, b, st_mtim.tv_nsec);
  SAME(a, b, st_ctim.tv_sec);
  SAME(a, b, st_ctim.tv_nsec);
  if (guest_failures != before) guest_say("    (%s)", what);
}

static void check_all_ways(const char* path, int open_flags) {
  struct stat by_path, by_fd, by_empty, by_lstat;
  MUST(stat(path, &by_path));
  OK(lstat(path, &by_lstat));
  check_same(path, &by_path, &by_lstat);
  int fd = MUST(open(path, open_flags));
  OK(syscall(SYS_fstat, fd, &by_fd));
  check_same("fstat", &by_path, &by_fd);
  OK(fstatat(fd, "", &by_empty, AT_EMPTY_PATH));
  check_same("AT_EMPTY_PATH", &by_path, &by_empty);
  struct statx sx;
  memset(&sx, 0, sizeof sx);
  OK(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &sx));
  CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(sx.stx_mode, by_path.st_mode);
  CHECK_EQ(sx.stx_ino, by_path.st_ino);
  CHECK_EQ(sx.stx_nlink, by_path.st_nlink);
  CHECK_EQ(sx.stx_uid, by_path.st_uid);
  CHECK_EQ(sx.stx_size, by_path.st_size);
  CHECK_EQ(sx.stx_blocks, by_path.st_blocks);
  CHECK_EQ(sx.stx_blksize, by_path.st_blksize);
  CHECK_EQ(makedev(sx.stx_dev_major, sx.stx_dev_minor), by_path.st_dev);
  CHECK_EQ(sx.stx_mtime.tv_sec, by_path.st_mtim.tv_sec);
  CHECK_EQ(sx.stx_mtime.tv_nsec, by_path.st_mtim.tv_nsec);
  struct statx by_fd_x;
  OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &by_fd_x));
  CHECK_EQ(by_fd_x.stx_ino, sx.stx_ino);
  CHECK_EQ(by_fd_x.stx_mode, sx.stx_mode);
  OK(close(fd));
}

TEST(regular_file) {
  guest_write_file("f", "12345");
  check_all_ways("f", O_RDONLY);
  check_all_ways("f", O_RDWR);
  check_all_ways("f", O_PATH);
  OK(chmod("f", 0604));
  OK(link("f", "g"));
  check_all_ways("f", O_RDONLY);
  struct stat st, other;
  OK(stat("f", &st));
  OK(stat("g", &other));
  check_same("hard link", &st, &other);
  CHECK_EQ(st.st_nlink, 2);
  CHECK_EQ(st.st_mode, S_IFREG | 0604);
}

TEST(file_from_the_image) {
  check_all_ways("/etc/passwd", O_RDONLY);
  check_all_ways("/usr/bin/env", O_RDONLY);
  check_all_ways("/usr/bin", O_RDONLY | O_DIRECTORY);
  check_all_ways("/", O_RDONLY | O_DIRECTORY);
}

TEST(directory) {
  OK(mkdir("d", 0751));
  check_all_ways("d", O_RDONLY);
  check_all_ways("d", O_RDONLY | O_DIRECTORY);
  check_all_ways("d", O_PATH);
  check_all_ways(".", O_RDONLY);
  struct stat st;
  OK(stat("d", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 0751);
  guest_write_file("d/x", "");
  OK(mkdir("d/sub", 0755));
  check_all_ways("d", O_RDONLY);
  struct stat dot, dotdot, parent, self;
  OK(stat("d/sub/.", &dot));
  OK(stat("d/sub", &self));
  CHECK_EQ(dot.st_ino, self.st_ino);
  OK(stat("d/sub/..", &dotdot));
  OK(stat("d", &parent));
  CHECK_EQ(dotdot.st_ino, parent.st_ino);
}

TEST(directory_after_changes_through_a_descriptor) {
  OK(mkdir("d", 0755));
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  OK(fchmod(fd, 0700));
  struct stat a, b;
  OK(stat("d", &a));
  OK(fstat(fd, &b));
  CHECK_EQ(a.st_mode, S_IFDIR | 0700);
  check_same("after fchmod", &a, &b);
  struct timespec times[2] = {{1000, 5}, {2000, 7}};
  OK(futimens(fd, times));
  OK(stat("d", &a));
  CHECK_EQ(a.st_mtim.tv_sec, 2000);
  CHECK_EQ(a.st_mtim.tv_nsec, 7);
  OK(fstat(fd, &b));
  check_same("after futimens", &a, &b);
  if (geteuid() == 0) {
    OK(fchown(fd, 12, 34));
    OK(stat("d", &a));
    CHECK_EQ(a.st_uid, 12);
    CHECK_EQ(a.st_gid, 34);
  }
  OK(rename("d", "moved"));
  OK(fstat(fd, &b));
  OK(stat("moved", &a));
  check_same("after rename", &a, &b);
  OK(rmdir("moved"));
  OK(fstat(fd, &b));
  CHECK_EQ(b.st_ino, a.st_ino);
  CHECK(b.st_nlink == 0);
}

TEST(symlink) {
  OK(symlink("12345", "l"));
  struct stat st;
  OK(lstat("l", &st));
  CHECK_EQ(st.st_mode, S_IFLNK | 0777);
  CHECK_EQ(st.st_size, 5);
  ERR(stat("l", &st), ENOENT);
  struct statx sx;
  OK(statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_ALL, &sx));
  CHECK_EQ(sx.stx_mode, S_IFLNK | 0777);
  OK(fstatat(AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW));
  CHECK(S_ISLNK(st.st_mode));
}

TEST(entry_numbers_equal_stat_numbers) {
  OK(mkdir("d", 0755));
  guest_write_file("f", "");
  OK(symlink("f", "l"));
  OK(link("f", "hard"));
  OK(mkfifo("p", 0600));
  DIR* dir = opendir(".");
  REQUIRE(dir != NULL);
  int seen = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    struct stat st;
    OK(lstat(entry->d_name, &st));
    if (strcmp(entry->d_name, "..") != 0) CHECK_EQ(entry->d_ino, st.st_ino);
    if (entry->d_type != DT_UNKNOWN) CHECK_EQ(DTTOIF(entry->d_type), st.st_mode & S_IFMT);
    seen++;
  }
  CHECK_EQ(seen, 7);
}

TEST(numbers_are_unique_and_stable) {
  struct stat before[20], after;
  char name[16];
  for (int i = 0; i < 20; ++i) {
    snprintf(name, sizeof name, "f%d", i);
    guest_write_file(name, "");
    OK(stat(name, &before[i]));
    for (int j = 0; j < i; ++j) CHECK(before[i].st_ino != before[j].st_ino);
  }
  for (int i = 0; i < 20; ++i) {
    snprintf(name, sizeof name, "f%d", i);
    OK(chmod(name, 0600));
    guest_write_file(name, "longer");
    OK(stat(name, &after));
    CHECK_EQ(after.st_ino, before[i].st_ino);
    CHECK_EQ(after.st_dev, before[i].st_dev);
  }
}

TEST(fifo_and_devices) {
  struct stat st;
  OK(mkfifo("p", 0640));
  OK(stat("p", &st));
  CHECK_EQ(st.st_mode, S_IFIFO | 0640);
  OK(stat("/dev/null", &st));
  CHECK_EQ(st.st_mode, S_IFCHR | 0666);
  CHECK_EQ(st.st_rdev, makedev(1, 3));
  int fd = MUST(open("/dev/null", O_RDWR));
  OK(fstat(fd, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(st.st_rdev, makedev(1, 3));
  OK(mknod("plain", S_IFREG | 0600, 0));
  OK(stat("plain", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  OK(mknod("zero", 0644, 0));
  OK(stat("zero", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  ERR(mknod("dir", S_IFDIR | 0755, 0), EPERM);
  ERR(mknod("p", S_IFIFO | 0600, 0), EEXIST);
}

TEST(pipes_and_sockets) {
  int pair[2];
  struct stat st;
  MUST(pipe(pair));
  OK(fstat(pair[0], &st));
  CHECK(S_ISFIFO(st.st_mode));
  OK(fstatat(pair[0], "", &st, AT_EMPTY_PATH));
  CHECK(S_ISFIFO(st.st_mode));
  struct statx sx;
  OK(statx(pair[1], "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
  CHECK(S_ISFIFO(sx.stx_mode));
}

TEST(wrong_arguments) {
  struct stat st;
  struct statx sx;
  guest_write_file("f", "");
  ERR(stat("", &st), ENOENT);
  ERR(fstatat(AT_FDCWD, "f", &st, 0x40000000), EINVAL);
  ERR(fstatat(555, "f", &st, 0), EBADF);
  ERR(syscall(SYS_fstat, 555, &st), EBADF);
  ERR(statx(AT_FDCWD, "f", 0x40000000, STATX_ALL, &sx), EINVAL);
  ERR(statx(AT_FDCWD, "f", 0, STATX__RESERVED, &sx), EINVAL);
  ERR(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &sx), EINVAL);
  OK(statx(AT_FDCWD, "f", AT_STATX_DONT_SYNC, 0, &sx));
  OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  CHECK(S_ISDIR(st.st_mode));
  int fd = MUST(open("f", O_RDONLY));
  ERR(fstatat(fd, "x", &st, 0), ENOTDIR);
  ERR(fstatat(fd, "", &st, 0), ENOENT);
}

TEST(statfs_agrees) {
  struct statfs a, b;
  guest_write_file("f", "");
  OK(statfs(".", &a));
  int fd = MUST(open("f", O_RDONLY)), dir = MUST(open(".", O_RDONLY));
  OK(fstatfs(fd, &b));
  CHECK_EQ(a.f_type, b.f_type);
  CHECK_EQ(a.f_bsize, b.f_bsize);
  OK(fstatfs(dir, &b));
  CHECK_EQ(a.f_type, b.f_type);
  CHECK(a.f_bsize > 0 && a.f_namelen == 255);
  ERR(statfs("missing", &a), ENOENT);
  ERR(fstatfs(555, &a), EBADF);
  struct statvfs v;
  OK(statvfs(".", &v));
  OK(statfs("/proc", &a));
  CHECK_EQ(a.f_type, 0x9fa0);
}

TEST(access_family) {
  guest_write_file("f", "");
  OK(access("f", F_OK));
  OK(access("f", R_OK | W_OK));
  ERR(access("f", X_OK), EACCES);
  OK(access(".", X_OK));
  ERR(access("missing", F_OK), ENOENT);
  ERR(access("f", 64), EINVAL);
  OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
  OK(symlink("missing", "l"));
  ERR(access("l", F_OK), ENOENT);
  OK(syscall(SYS_faccessat2, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
  ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", F_OK, 0x4000), EINVAL);
  int fd = MUST(open("f", O_RDONLY));
  OK(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
}
