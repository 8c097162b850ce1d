// A full tmpfs says ENOSPC and recovers; needs GUEST_SMALL_TMPFS to name a tmpfs of 1 MiB.
#include "../guest.h"
#include <sys/statvfs.h>

static void enter(void) {
  const char* dir = getenv("GUEST_SMALL_TMPFS");
  if (dir == NULL) SKIP("GUEST_SMALL_TMPFS is not set");
  MUST(chdir(dir));
}

TEST(writing_until_full) {
  enter();
  static char block[65536];
  memset(block, 'x', sizeof block);
  int fd = MUST(open("big", O_CREAT | O_RDWR, 0644));
  size_t total = 0;
  ssize_t wrote;
  while ((wrote = write(fd, block, sizeof block)) > 0) total += wrote;
  CHECK_EQ(errno, ENOSPC);
  CHECK(total > 500000 && total <= 1 << 20);
  OK(ftruncate(fd, 0));
  CHECK_EQ(write(fd, block, sizeof block), sizeof block);
  OK(unlink("big"));
  OK(close(fd));
}

TEST(statvfs_knows_the_size) {
  enter();
  struct statvfs v;
  OK(statvfs(".", &v));
  CHECK_EQ((long long)v.f_blocks * v.f_frsize, 1 << 20);
  unsigned long before = v.f_bfree;
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  static char block[65536];
  CHECK_EQ(write(fd, block, sizeof block), sizeof block);
  OK(statvfs(".", &v));
  CHECK(v.f_bfree < before);
  OK(unlink("f"));
  OK(close(fd));
  OK(statvfs(".", &v));
  CHECK_EQ(v.f_bfree, before);
}

TEST(mode_of_the_root) {
  enter();
  struct stat st;
  OK(stat(".", &st));
  CHECK_EQ(st.st_mode & 07777, 01777);
}
