// memfd_create(2): sealing, names, sharing, and opening again through /proc.
#include "../guest.h"

TEST(reads_writes_and_grows) {
  int fd = MUST(memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(write(fd, "memory", 6), 6);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 6);
  CHECK(S_ISREG(st.st_mode));
  OK(ftruncate(fd, 8192));
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(map != MAP_FAILED);
  map[4096] = 'x';
  char byte;
  CHECK_EQ(pread(fd, &byte, 1, 4096), 1);
  CHECK_EQ(byte, 'x');
  OK(fchmod(fd, 0600));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode & 0777, 0600);
}

TEST(seals) {
  int fd = MUST(memfd_create("m", MFD_ALLOW_SEALING));
  CHECK_EQ(write(fd, "x", 1), 1);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
  ERR(write(fd, "y", 1), EPERM);
  ERR(ftruncate(fd, 0), EPERM);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
  int plain = MUST(memfd_create("m", 0));
  ERR(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

TEST(links_in_proc) {
  int fd = MUST(memfd_create("name", 0));
  char path[64], target[128] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OK(readlink(path, target, sizeof target - 1));
  CHECK_STR(target, "/memfd:name (deleted)");
  CHECK_EQ(write(fd, "abc", 3), 3);
  int again = MUST(open(path, O_RDONLY));
  char text[4] = {0};
  CHECK_EQ(read(again, text, 3), 3);
  CHECK_STR(text, "abc");
}

TEST(inherited_by_children) {
  int fd = MUST(memfd_create("m", 0));
  OK(ftruncate(fd, 4096));
  IN_CHILD({ CHECK_EQ(pwrite(fd, "child", 5, 0), 5); });
  char text[6] = {0};
  CHECK_EQ(pread(fd, text, 5, 0), 5);
  CHECK_STR(text, "child");
}

TEST(errors) {
  ERR(memfd_create("m", 0x4000), EINVAL);
  char name[300];
  memset(name, 'n', 299);
  name[250] = 0;
  ERR(memfd_create(name, 0), EINVAL);
}
