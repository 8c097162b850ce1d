// chdir(2), fchdir(2), getcwd(2), and chroot(2) for root.
#include "../guest.h"

static char cwd_buffer[PATH_MAX * 2];
static const char* cwd(void) {
  memset(cwd_buffer, 0, sizeof cwd_buffer);
  if (syscall(SYS_getcwd, cwd_buffer, sizeof cwd_buffer) < 0) return guest_errno_name(errno);
  return cwd_buffer;
}

TEST(moves) {
  char want[PATH_MAX + 32];
  CHECK_STR(cwd(), guest_dir);
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  OK(chdir("a/b"));
  snprintf(want, sizeof want, "%s/a/b", guest_dir);
  CHECK_STR(cwd(), want);
  OK(chdir(".."));
  OK(chdir("."));
  snprintf(want, sizeof want, "%s/a", guest_dir);
  CHECK_STR(cwd(), want);
  OK(symlink("b", "to_b"));
  OK(chdir("to_b"));
  snprintf(want, sizeof want, "%s/a/b", guest_dir);
  CHECK_STR(cwd(), want);
  OK(chdir("/"));
  CHECK_STR(cwd(), "/");
  OK(chdir(".."));
  CHECK_STR(cwd(), "/");
  OK(chdir("/usr/../usr/bin/."));
  CHECK_STR(cwd(), "/usr/bin");
}

TEST(the_result_counts_the_nul) {
  char buffer[PATH_MAX];
  long length = strlen(guest_dir) + 1;
  CHECK_EQ(syscall(SYS_getcwd, buffer, sizeof buffer), length);
  CHECK_EQ(syscall(SYS_getcwd, buffer, length), length);
  ERR(syscall(SYS_getcwd, buffer, length - 1), ERANGE);
  ERR(syscall(SYS_getcwd, buffer, 0), ERANGE);
}

TEST(errors) {
  guest_write_file("f", "");
  ERR(chdir("f"), ENOTDIR);
  ERR(chdir("missing"), ENOENT);
  ERR(fchdir(555), EBADF);
  int fd = MUST(open("f", O_RDONLY));
  ERR(fchdir(fd), ENOTDIR);
  CHECK_STR(cwd(), guest_dir);
}

TEST(by_descriptor) {
  OK(mkdir("d", 0755));
  int dir = MUST(open("d", O_RDONLY)), path = MUST(open(".", O_PATH));
  OK(fchdir(dir));
  guest_write_file("here", "");
  OK(fchdir(path));
  OK(access("d/here", F_OK));
  CHECK_STR(cwd(), guest_dir);
}

TEST(renamed_directory) {
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rename("../d", "../e"));
  char want[PATH_MAX + 32];
  snprintf(want, sizeof want, "%s/e", guest_dir);
  CHECK_STR(cwd(), want);
}

TEST(deleted_directory) {
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rmdir("../d"));
  CHECK_STR(cwd(), "ENOENT");
  ERR(open("f", O_CREAT | O_WRONLY, 0644), ENOENT);
  struct stat st;
  OK(stat(".", &st));
  char link[PATH_MAX + 32] = {0}, want[PATH_MAX + 64];
  OK(readlink("/proc/self/cwd", link, sizeof link - 1));
  snprintf(want, sizeof want, "%s/d (deleted)", guest_dir);
  CHECK_STR(link, want);
  OK(chdir(".."));
  CHECK_STR(cwd(), guest_dir);
}

TEST(processes_have_their_own) {
  OK(mkdir("d", 0755));
  IN_CHILD({ OK(chdir("d")); });
  CHECK_STR(cwd(), guest_dir);
}

static void* thread_chdir(void* argument) {
  OK(chdir(argument));
  return NULL;
}
TEST(threads_share) {
  OK(mkdir("d", 0755));
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, thread_chdir, "d") == 0);
  pthread_join(thread, NULL);
  char want[PATH_MAX + 32];
  snprintf(want, sizeof want, "%s/d", guest_dir);
  CHECK_STR(cwd(), want);
}

static void* thread_unshared(void* argument) {
  (void)argument;
  if (unshare(CLONE_FS) != 0) return "unshare failed";
  if (chdir("/") != 0) return "chdir failed";
  umask(0);
  return NULL;
}
TEST(a_thread_may_leave_the_shared_one) {
  pthread_t thread;
  void* result = NULL;
  REQUIRE(pthread_create(&thread, NULL, thread_unshared, NULL) == 0);
  pthread_join(thread, &result);
  if (result != NULL) GUEST_FAILED("%s", (char*)result);
  CHECK_STR(cwd(), guest_dir);
  CHECK_EQ(umask(022), 022);
}

TEST(chroot_confines) {
  NEEDS_ROOT();
  OK(mkdir("jail", 0755));
  OK(mkdir("jail/in", 0755));
  guest_write_file("jail/f", "jailed");
  guest_write_file("outside", "free");
  OK(symlink("/f", "jail/in/absolute"));
  OK(symlink("../../outside", "jail/in/up"));
  int outside = MUST(open(".", O_RDONLY | O_DIRECTORY));
  IN_CHILD({
    MUST(chroot("jail"));
    OK(chdir("/"));
    CHECK_STR(cwd(), "/");
    CHECK_STR(guest_read_file("/f"), "jailed");
    CHECK_STR(guest_read_file("/../../f"), "jailed");
    CHECK_STR(guest_read_file("/in/absolute"), "jailed");
    ERR(open("/in/up", O_RDONLY), ENOENT);
    ERR(open("/etc/passwd", O_RDONLY), ENOENT);
    // What was open before leads out, as on Linux.
    OK(faccessat(outside, "outside", F_OK, 0));
    OK(fchdir(outside));
    OK(access("outside", F_OK));
    CHECK(strncmp(cwd(), "(unreachable)/", 14) == 0);
  });
  IN_CHILD({
    // chroot leaves the working directory alone.
    MUST(chroot("jail"));
    OK(access("outside", F_OK));
    ERR(access("/outside", F_OK), ENOENT);
  });
  ERR(chroot("outside"), ENOTDIR);
  ERR(chroot("missing"), ENOENT);
}

TEST(chroot_needs_privilege) {
  guest_become(65534);
  ERR(chroot("."), EPERM);
}
