// utimensat(2) and its relatives, and when the kernel itself moves the times.
#include "../guest.h"
#include <sys/time.h>
#include <time.h>
#include <utime.h>

static struct stat stat_of(const char* path) {
  struct stat st = {0};
  OK(lstat(path, &st));
  return st;
}

static int later(struct timespec a, struct timespec b) {
  return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

TEST(explicit_times) {
  guest_write_file("f", "");
  struct timespec times[2] = {{111, 222}, {333, 444}};
  OK(utimensat(AT_FDCWD, "f", times, 0));
  struct stat st = stat_of("f");
  CHECK_EQ(st.st_atim.tv_sec, 111);
  CHECK_EQ(st.st_atim.tv_nsec, 222);
  CHECK_EQ(st.st_mtim.tv_sec, 333);
  CHECK_EQ(st.st_mtim.tv_nsec, 444);
  CHECK(st.st_ctim.tv_sec > 1000000);
  times[0].tv_sec = 4000000000LL;
  times[1].tv_nsec = UTIME_OMIT;
  OK(utimensat(AT_FDCWD, "f", times, 0));
  st = stat_of("f");
  CHECK_EQ(st.st_atim.tv_sec, 4000000000LL);
  CHECK_EQ(st.st_mtim.tv_sec, 333);
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_nsec = UTIME_NOW;
  OK(utimensat(AT_FDCWD, "f", times, 0));
  st = stat_of("f");
  CHECK_EQ(st.st_atim.tv_sec, 4000000000LL);
  CHECK(st.st_mtim.tv_sec > 1000000);
  OK(utimensat(AT_FDCWD, "f", NULL, 0));
  st = stat_of("f");
  CHECK(st.st_atim.tv_sec != 4000000000LL);
}

TEST(omit_both_changes_nothing) {
  guest_write_file("f", "");
  struct stat before = stat_of("f");
  guest_sleep_ms(20);
  struct timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  OK(utimensat(AT_FDCWD, "f", times, 0));
  struct stat after = stat_of("f");
  CHECK_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

TEST(errors) {
  guest_write_file("f", "");
  struct timespec times[2] = {{0, 1000000000}, {0, 0}};
  ERR(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
  ERR(utimensat(AT_FDCWD, "missing", times, 0), ENOENT);
  times[0].tv_nsec = -1;
  ERR(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
  times[0].tv_nsec = 0;
  ERR(utimensat(AT_FDCWD, "missing", times, 0), ENOENT);
  ERR(utimensat(AT_FDCWD, "f", times, 0x4000), EINVAL);
  ERR(utimensat(555, "f", times, 0), EBADF);
  ERR(syscall(SYS_utimensat, AT_FDCWD, NULL, times, 0), EFAULT);
}

TEST(links_and_descriptors) {
  guest_write_file("f", "");
  OK(symlink("f", "l"));
  struct timespec times[2] = {{10, 0}, {20, 0}}, other[2] = {{30, 0}, {40, 0}};
  OK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
  CHECK_EQ(stat_of("l").st_mtim.tv_sec, 20);
  CHECK(stat_of("f").st_mtim.tv_sec != 20);
  OK(utimensat(AT_FDCWD, "l", other, 0));
  CHECK_EQ(stat_of("f").st_mtim.tv_sec, 40);
  int fd = MUST(open("f", O_RDONLY));
  OK(futimens(fd, times));
  CHECK_EQ(stat_of("f").st_mtim.tv_sec, 20);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mtim.tv_sec, 20);
  OK(mkdir("d", 0755));
  OK(utimensat(AT_FDCWD, "d", other, 0));
  CHECK_EQ(stat_of("d").st_mtim.tv_sec, 40);
  OK(unlink("f"));
  OK(futimens(fd, other));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mtim.tv_sec, 40);
}

TEST(old_calls) {
  guest_write_file("f", "");
  struct utimbuf buf = {100, 200};
  OK(syscall(SYS_utime, "f", &buf));
  CHECK_EQ(stat_of("f").st_mtim.tv_sec, 200);
  struct timeval tv[2] = {{300, 5}, {400, 6}};
  OK(syscall(SYS_utimes, "f", tv));
  CHECK_EQ(stat_of("f").st_mtim.tv_sec, 400);
  CHECK_EQ(stat_of("f").st_mtim.tv_nsec, 6000);
  tv[1].tv_sec = 500;
  OK(syscall(SYS_futimesat, AT_FDCWD, "f", tv));
  CHECK_EQ(stat_of("f").st_mtim.tv_sec, 500);
  tv[0].tv_usec = 1000000;
  ERR(syscall(SYS_utimes, "f", tv), EINVAL);
}

TEST(directories_change_with_their_entries) {
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "");
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
#define UNCHANGED_THEN(action)                       \
  OK(utimensat(AT_FDCWD, "d", old, 0));              \
  CHECK_EQ(stat_of("d").st_mtim.tv_sec, 1000);       \
  action;                                            \
  CHECK(stat_of("d").st_mtim.tv_sec > 1000)
  UNCHANGED_THEN(guest_write_file("d/g", ""));
  UNCHANGED_THEN(OK(unlink("d/g")));
  UNCHANGED_THEN(OK(mkdir("d/s", 0755)));
  UNCHANGED_THEN(OK(rmdir("d/s")));
  UNCHANGED_THEN(OK(rename("d/f", "d/h")));
  UNCHANGED_THEN(OK(rename("d/h", "h")));
  UNCHANGED_THEN(OK(link("h", "d/h")));
  UNCHANGED_THEN(OK(symlink("h", "d/l")));
  OK(utimensat(AT_FDCWD, "d", old, 0));
  guest_write_file("d/h", "content does not count");
  CHECK_EQ(stat_of("d").st_mtim.tv_sec, 1000);
}

TEST(files_change_with_content_and_mode) {
  guest_write_file("f", "x");
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
  OK(utimensat(AT_FDCWD, "f", old, 0));
  struct stat before = stat_of("f");
  guest_sleep_ms(20);
  OK(chmod("f", 0600));
  struct stat after = stat_of("f");
  CHECK_EQ(after.st_mtim.tv_sec, 1000);
  CHECK(later(after.st_ctim, before.st_ctim));
  int fd = MUST(open("f", O_WRONLY));
  CHECK_EQ(write(fd, "y", 1), 1);
  CHECK(stat_of("f").st_mtim.tv_sec > 1000);
  before = stat_of("f");
  guest_sleep_ms(20);
  OK(link("f", "g"));
  CHECK(later(stat_of("f").st_ctim, before.st_ctim));
}

TEST(times_are_now) {
  struct timespec now;
  guest_write_file("f", "");
  OK(clock_gettime(CLOCK_REALTIME, &now));
  struct stat st = stat_of("f");
  CHECK(llabs((long long)now.tv_sec - st.st_mtim.tv_sec) <= 2);
  CHECK(llabs((long long)now.tv_sec - st.st_ctim.tv_sec) <= 2);
}
