// A pointer to unmapped memory gives EFAULT in every call that takes one, and nothing else happens.
#include "../guest.h"
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>

// A page that is not mapped, and a string whose end lies in it.
static char* bad;
static char* cut_string;

static void prepare(void) {
  char* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  MUST(munmap(pages + 4096, 4096));
  bad = pages + 4096;
  cut_string = pages + 4092;
  memcpy(cut_string, "abcd", 4);
  guest_write_file("f", "x");
  MUST(mkdir("d", 0755));
  MUST(symlink("f", "l"));
}

#define FAULTS(...) ERR(syscall(__VA_ARGS__), EFAULT)
// Both an unmapped path and one that runs into unmapped memory.
#define FAULTS_PATH(nr, ...)                                        \
  do {                                                              \
    char* paths_[] = {bad, cut_string, (char*)-4096L, (char*)1};    \
    for (int i_ = 0; i_ < 4; ++i_) {                                \
      char* P = paths_[i_];                                         \
      ERR(syscall(nr, ##__VA_ARGS__), EFAULT);                      \
    }                                                               \
  } while (0)

TEST(paths) {
  prepare();
  struct stat st;
  struct statx sx;
  struct statfs sf;
  char buffer[64];
  FAULTS_PATH(SYS_open, P, O_RDONLY, 0);
  FAULTS_PATH(SYS_openat, AT_FDCWD, P, O_RDONLY, 0);
  FAULTS_PATH(SYS_creat, P, 0644);
  FAULTS_PATH(SYS_stat, P, &st);
  FAULTS_PATH(SYS_lstat, P, &st);
  FAULTS_PATH(SYS_newfstatat, AT_FDCWD, P, &st, 0);
  FAULTS_PATH(SYS_statx, AT_FDCWD, P, 0, STATX_ALL, &sx);
  FAULTS_PATH(SYS_statfs, P, &sf);
  FAULTS_PATH(SYS_access, P, F_OK);
  FAULTS_PATH(SYS_faccessat, AT_FDCWD, P, F_OK);
  FAULTS_PATH(SYS_faccessat2, AT_FDCWD, P, F_OK, 0);
  FAULTS_PATH(SYS_readlink, P, buffer, sizeof buffer);
  FAULTS_PATH(SYS_readlinkat, AT_FDCWD, P, buffer, sizeof buffer);
  FAULTS_PATH(SYS_chdir, P);
  FAULTS_PATH(SYS_chmod, P, 0600);
  FAULTS_PATH(SYS_fchmodat, AT_FDCWD, P, 0600);
  FAULTS_PATH(SYS_chown, P, -1, -1);
  FAULTS_PATH(SYS_lchown, P, -1, -1);
  FAULTS_PATH(SYS_fchownat, AT_FDCWD, P, -1, -1, 0);
  FAULTS_PATH(SYS_mkdir, P, 0755);
  FAULTS_PATH(SYS_mkdirat, AT_FDCWD, P, 0755);
  FAULTS_PATH(SYS_rmdir, P);
  FAULTS_PATH(SYS_unlink, P);
  FAULTS_PATH(SYS_unlinkat, AT_FDCWD, P, 0);
  FAULTS_PATH(SYS_mknod, P, S_IFREG | 0600, 0);
  FAULTS_PATH(SYS_mknodat, AT_FDCWD, P, S_IFREG | 0600, 0);
  FAULTS_PATH(SYS_truncate, P, 0);
  FAULTS_PATH(SYS_utime, P, NULL);
  FAULTS_PATH(SYS_utimes, P, NULL);
  FAULTS_PATH(SYS_utimensat, AT_FDCWD, P, NULL, 0);
  FAULTS_PATH(SYS_link, P, "new");
  FAULTS_PATH(SYS_link, "f", P);
  FAULTS_PATH(SYS_linkat, AT_FDCWD, P, AT_FDCWD, "new", 0);
  FAULTS_PATH(SYS_symlink, P, "new");
  FAULTS_PATH(SYS_symlink, "f", P);
  FAULTS_PATH(SYS_symlinkat, P, AT_FDCWD, "new");
  FAULTS_PATH(SYS_rename, P, "new");
  FAULTS_PATH(SYS_rename, "f", P);
  FAULTS_PATH(SYS_renameat, AT_FDCWD, P, AT_FDCWD, "new");
  FAULTS_PATH(SYS_renameat2, AT_FDCWD, P, AT_FDCWD, "new", 0);
  FAULTS_PATH(SYS_setxattr, P, "user.a", "v", 1, 0);
  FAULTS_PATH(SYS_getxattr, P, "user.a", buffer, 1);
  FAULTS_PATH(SYS_lgetxattr, P, "user.a", buffer, 1);
  FAULTS_PATH(SYS_listxattr, P, buffer, sizeof buffer);
  FAULTS_PATH(SYS_removexattr, P, "user.a");
  int inotify = MUST(inotify_init());
  FAULTS_PATH(SYS_inotify_add_watch, inotify, P, IN_MODIFY);
  struct open_how how = {.flags = O_RDONLY};
  FAULTS_PATH(SYS_openat2, AT_FDCWD, P, &how, sizeof how);
  if (geteuid() == 0) FAULTS_PATH(SYS_chroot, P);
  OK(stat("f", &st));
  CHECK_EQ(st.st_size, 1);
  ERR(access("new", F_OK), ENOENT);
}

TEST(exec) {
  prepare();
  char* none[] = {NULL};
  FAULTS_PATH(SYS_execve, P, none, none);
  FAULTS(SYS_execve, "/bin/true", bad, none);
  FAULTS(SYS_execve, "/bin/true", none, bad);
  char* broken[] = {"true", bad, NULL};
  FAULTS(SYS_execve, "/bin/true", broken, none);
  FAULTS(SYS_execve, "/bin/true", none, broken);
  FAULTS_PATH(SYS_execveat, AT_FDCWD, P, none, none, 0);
}

TEST(results) {
  prepare();
  int dir = MUST(open(".", O_RDONLY | O_DIRECTORY)), file = MUST(open("f", O_RDONLY));
  FAULTS(SYS_stat, "f", bad);
  FAULTS(SYS_lstat, "l", bad);
  FAULTS(SYS_fstat, file, bad);
  FAULTS(SYS_fstat, dir, bad);
  FAULTS(SYS_newfstatat, AT_FDCWD, "f", bad, 0);
  FAULTS(SYS_newfstatat, dir, "", bad, AT_EMPTY_PATH);
  FAULTS(SYS_statx, AT_FDCWD, "f", 0, STATX_ALL, bad);
  FAULTS(SYS_statfs, ".", bad);
  FAULTS(SYS_fstatfs, dir, bad);
  FAULTS(SYS_readlink, "l", bad, 10);
  FAULTS(SYS_getcwd, bad, 4096);
  FAULTS(SYS_getdents64, dir, bad, 4096);
  FAULTS(SYS_getdents, dir, bad, 4096);
  FAULTS(SYS_uname, bad);
  FAULTS(SYS_sysinfo, bad);
  FAULTS(SYS_read, file, bad, 1);
  FAULTS(SYS_pread64, file, bad, 1, 0);
  FAULTS(SYS_sched_getaffinity, 0, 128, bad);
  FAULTS(SYS_prlimit64, 0, 7, NULL, bad);
  FAULTS(SYS_pipe2, bad, 0);
  // A refused read of the directory moves nothing.
  char buffer[4096];
  CHECK(syscall(SYS_getdents64, dir, buffer, sizeof buffer) > 0);
}

TEST(structures) {
  prepare();
  int file = MUST(open("f", O_RDWR));
  FAULTS(SYS_utimensat, AT_FDCWD, "f", bad, 0);
  FAULTS(SYS_utimensat, file, NULL, bad, 0);
  FAULTS(SYS_utimes, "f", bad);
  FAULTS(SYS_utime, "f", bad);
  FAULTS(SYS_openat2, AT_FDCWD, "f", bad, sizeof(struct open_how));
  FAULTS(SYS_setxattr, "f", "user.a", bad, 4, 0);
  FAULTS(SYS_setxattr, "f", bad, "v", 1, 0);
  FAULTS(SYS_getxattr, "f", bad, "v", 1);
  FAULTS(SYS_fsetxattr, file, bad, "v", 1, 0);
  int sock = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  FAULTS(SYS_bind, sock, bad, sizeof(struct sockaddr_un));
  FAULTS(SYS_connect, sock, bad, sizeof(struct sockaddr_un));
  FAULTS(SYS_sendto, sock, "x", 1, 0, bad, sizeof(struct sockaddr_un));
  FAULTS(SYS_sendmsg, sock, bad, 0);
  FAULTS(SYS_fcntl, file, F_SETLK, bad);
  FAULTS(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8);
  if (geteuid() == 0) FAULTS(SYS_setgroups, 5, bad);
  FAULTS(SYS_prlimit64, 0, 7, bad, NULL);
}

TEST(a_result_across_the_edge) {
  // Half the buffer is there: the call faults as a whole.
  prepare();
  FAULTS(SYS_stat, "f", bad - 64);
  FAULTS(SYS_getcwd, bad - 4, 4096);
  CHECK_EQ(syscall(SYS_readlink, "l", bad - 1, 1), 1);
}

TEST(read_only_memory) {
  prepare();
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FAULTS(SYS_stat, "f", page);
  FAULTS(SYS_getcwd, page, 4096);
  FAULTS(SYS_readlink, "l", page, 10);
  int dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
  FAULTS(SYS_getdents64, dir, page, 4096);
  char* hidden = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(hidden, "f");
  MUST(mprotect(hidden, 4096, PROT_NONE));
  struct stat st;
  FAULTS(SYS_stat, hidden, &st);
  FAULTS(SYS_open, hidden, O_RDONLY);
}

TEST(strings_up_to_the_last_mapped_byte) {
  prepare();
  strcpy(bad - 2, "f");
  struct stat st;
  OK(syscall(SYS_stat, bad - 2, &st));
  OK(syscall(SYS_open, bad - 2, O_RDONLY));
  strcpy(bad - 9, "/etc/../");
  OK(syscall(SYS_chdir, bad - 9));
}
