// openat2(2): RESOLVE_* flags and the checks of its structure.
#include "../guest.h"
#include <linux/openat2.h>

static int open2(int dir, const char* path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  int fd;
  // A rename anywhere on the machine makes a scoped `..` uncertain: the caller is to try again.
  do {
    fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
  } while (fd < 0 && errno == EAGAIN);
  return fd;
}

static void build(void) {
  MUST(mkdir("d", 0755));
  MUST(mkdir("d/sub", 0755));
  guest_write_file("d/f", "inside");
  guest_write_file("out", "outside");
  MUST(symlink("f", "d/link"));
  MUST(symlink("sub", "d/sublink"));
  MUST(symlink("../out", "d/escape"));
  MUST(symlink("/f", "d/absolute"));
  MUST(symlink("/proc/self/exe", "d/magic"));
}

TEST(plain) {
  build();
  OK(open2(AT_FDCWD, "d/f", O_RDONLY, 0, 0));
  OK(open2(AT_FDCWD, "d/new", O_RDWR | O_CREAT | O_EXCL, 0600, 0));
  struct stat st;
  OK(stat("d/new", &st));
  CHECK_EQ(st.st_mode & 07777, 0600);
  ERR(open2(AT_FDCWD, "missing", O_RDONLY, 0, 0), ENOENT);
}

TEST(beneath) {
  build();
  int dir = MUST(open("d", O_PATH));
  OK(open2(dir, "f", O_RDONLY, 0, RESOLVE_BENEATH));
  OK(open2(dir, "sub/../f", O_RDONLY, 0, RESOLVE_BENEATH));
  OK(open2(dir, "link", O_RDONLY, 0, RESOLVE_BENEATH));
  ERR(open2(dir, "../out", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(dir, "..", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(dir, "escape", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(dir, "absolute", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(dir, "/etc/passwd", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(dir, "sub/../../out", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(555, "/f", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  ERR(open2(555, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT), EBADF);
}

TEST(in_root) {
  build();
  int dir = MUST(open("d", O_PATH));
  OK(open2(dir, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT));
  OK(open2(dir, "../../f", O_RDONLY, 0, RESOLVE_IN_ROOT));
  OK(open2(dir, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT));
  ERR(open2(dir, "escape", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
  ERR(open2(dir, "/etc/passwd", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
}

TEST(no_symlinks) {
  build();
  int dir = MUST(open("d", O_PATH));
  OK(open2(dir, "f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
  ERR(open2(dir, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
  ERR(open2(dir, "sublink/../f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
  OK(open2(dir, "link", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
}

TEST(no_magiclinks) {
  build();
  OK(open2(AT_FDCWD, "d/link", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
  ERR(open2(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
  ERR(open2(AT_FDCWD, "d/magic", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
  ERR(open2(AT_FDCWD, "/proc/self/cwd/out", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
  OK(open2(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS));
}

TEST(no_crossing_of_mounts) {
  build();
  ERR(open2(AT_FDCWD, "/proc/version", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
  OK(open2(AT_FDCWD, "d/f", O_RDONLY, 0, RESOLVE_NO_XDEV));
}

TEST(structure_is_checked) {
  build();
  ERR(open2(AT_FDCWD, "d/f", O_RDONLY, 0, 0x8000), EINVAL);
  ERR(open2(AT_FDCWD, "d/f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
  ERR(open2(AT_FDCWD, "d/f", O_RDONLY, 0644, 0), EINVAL);
  ERR(open2(AT_FDCWD, "d/f", O_RDONLY | (1ull << 40), 0, 0), EINVAL);
  ERR(open2(AT_FDCWD, "d/f", 0x10000000, 0, 0), EINVAL);
  ERR(open2(AT_FDCWD, "d/new", O_CREAT | O_WRONLY, 0200000, 0), EINVAL);
  ERR(open2(AT_FDCWD, "d/f", O_PATH | O_RDWR, 0, 0), EINVAL);
  struct {
    struct open_how how;
    uint64_t extra;
  } big = {.how = {.flags = O_RDONLY}};
  OK(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, sizeof big));
  big.extra = 1;
  ERR(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, sizeof big), E2BIG);
  ERR(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, 8), EINVAL);
  ERR(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, 1 << 20), E2BIG);
}
