// Calls on files, each argument kind once.
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>
#include <sys/time.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

static char buffer[4096];
static struct statx extended;
// Static, so that nothing random follows when the count is wrong.
static struct iovec vectors[64] = {{buffer, 3}, {buffer + 100, 2}, {(void *)16, 0}};

int main(void) {
  int fd = open("file\n\033[31m\"x\"", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  write(fd, "hello\0world\377\1" "2\1", 15);
  write(fd, "0123456789012345678901234567890123456789", 40);
  write(fd, (void *)8, 5);
  write(fd, "", 0);
  lseek(fd, 0, SEEK_SET);
  lseek(fd, 1, SEEK_DATA);
  lseek(fd, 1, 77);
  read(fd, buffer, 10);
  read(fd, buffer, sizeof buffer);
  pread(fd, buffer, 4, 2);
  pwrite(fd, "abc", 3, 100);
  writev(fd, vectors, 2);
  lseek(fd, 0, SEEK_SET);
  readv(fd, vectors, 2);
  preadv(fd, vectors, 2, 3);
  writev(fd, vectors, 0);
  writev(fd, (void *)8, 2);
  writev(fd, vectors, -1);
  fsync(fd);
  fdatasync(fd);
  ftruncate(fd, 50);
  fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100);
  posix_fadvise(fd, 0, 10, POSIX_FADV_SEQUENTIAL);
  flock(fd, LOCK_EX | LOCK_NB);
  flock(fd, LOCK_UN);
  fchmod(fd, 04755);
  syscall(452, AT_FDCWD, "file", 0600, AT_SYMLINK_NOFOLLOW);
  fchown(fd, -1, -1);
  close(fd);
  close(-1);
  open("missing", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH);
  open("missing", 0x7fffffff & ~(O_CREAT | __O_TMPFILE), 0);
  openat(-77, "relative", O_WRONLY | O_APPEND | O_SYNC | O_NONBLOCK);
  creat("/nonexistent/x", 0666);
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  syscall(SYS_openat2, AT_FDCWD, "missing", &how, sizeof how);
  mkdir("dir", 0755);
  mkdirat(AT_FDCWD, "dir/sub", 01777);
  mknod("fifo", S_IFIFO | 0600, 0);
  mknod("dev", S_IFCHR | 0600, 0x103);
  mknodat(AT_FDCWD, "regular", S_IFREG | 0644, 0);
  symlink("target", "link");
  symlinkat("target2", AT_FDCWD, "link2");
  link("regular", "hard");
  linkat(AT_FDCWD, "regular", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW);
  rename("hard2", "hard3");
  renameat2(AT_FDCWD, "hard", AT_FDCWD, "hard3", RENAME_NOREPLACE);
  readlink("link", buffer, sizeof buffer);
  readlinkat(AT_FDCWD, "link2", buffer, 3);
  readlink("regular", buffer, sizeof buffer);
  access("regular", R_OK | W_OK);
  access("missing", F_OK);
  faccessat(AT_FDCWD, "regular", X_OK, 0);
  syscall(SYS_faccessat2, AT_FDCWD, "regular", R_OK, AT_EACCESS);
  struct stat status;
  stat("/dev/null", &status);
  lstat("link", &status);
  fstat(0, &status);
  syscall(SYS_newfstatat, AT_FDCWD, "fifo", &status, AT_SYMLINK_NOFOLLOW);
  stat("missing", &status);
  syscall(SYS_statx, AT_FDCWD, "fifo", AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &extended);
  syscall(SYS_statx, AT_FDCWD, "missing", 0, STATX_ALL | 0x40000000, &extended);
  struct statfs space;
  statfs("/proc", &space);
  fstatfs(-1, &space);
  truncate("regular", 77);
  chmod("regular", 0);
  chown("regular", 0, 0);
  lchown("missing", 1, 2);
  fchownat(AT_FDCWD, "missing", 1, 2, AT_SYMLINK_NOFOLLOW);
  umask(022);
  struct timespec times[2] = {{1, 2}, {3, UTIME_OMIT}};
  utimensat(AT_FDCWD, "regular", times, AT_SYMLINK_NOFOLLOW);
  times[0].tv_nsec = UTIME_NOW;
  utimensat(AT_FDCWD, "regular", times, 0);
  utimensat(AT_FDCWD, "regular", NULL, 0);
  struct timeval old[2] = {{5, 6}, {7, 8}};
  syscall(SYS_utimes, "regular", old);
  syscall(SYS_futimesat, AT_FDCWD, "regular", old);
  struct utimbuf oldest = {9, 10};
  syscall(SYS_utime, "regular", &oldest);
  setxattr("regular", "user.a", "value", 5, XATTR_CREATE);
  getxattr("regular", "user.a", buffer, sizeof buffer);
  listxattr("regular", buffer, sizeof buffer);
  removexattr("regular", "user.none");
  int directory = open("dir", O_RDONLY | O_DIRECTORY);
  syscall(SYS_getdents64, directory, buffer, 0);
  syscall(SYS_getdents64, directory, buffer, sizeof buffer);
  syscall(SYS_getdents64, directory, buffer, sizeof buffer);
  fchdir(directory);
  chdir("..");
  getcwd(buffer, 1);
  unlink("fifo");
  unlinkat(AT_FDCWD, "dir/sub", AT_REMOVEDIR);
  rmdir("dir");
  int fds[2];
  pipe(fds);
  pipe2(fds, O_CLOEXEC | O_NONBLOCK);
  dup(0);
  dup2(fds[0], 50);
  dup3(fds[0], 51, O_CLOEXEC);
  fcntl(fds[0], F_GETFD);
  fcntl(fds[0], F_SETFD, 0);
  fcntl(fds[0], F_GETFL);
  fcntl(fds[1], F_SETFL, O_NONBLOCK | O_APPEND);
  fcntl(fds[0], F_DUPFD, 60);
  fcntl(fds[0], F_DUPFD_CLOEXEC, 61);
  fcntl(fds[0], F_SETPIPE_SZ, 4096);
  fcntl(fds[0], F_GETPIPE_SZ);
  struct flock lock = {F_RDLCK, SEEK_SET, 1, 2, 0};
  int file = open("regular", O_RDWR | O_CREAT, 0600);
  fcntl(file, F_SETLK, &lock);
  fcntl(file, F_GETLK, &lock);
  fcntl(file, F_OFD_GETLK, &lock);
  fcntl(file, 999, 1);
  sendfile(file, fds[0], NULL, 10);
  off_t offset = 1;
  sendfile(fds[1], file, &offset, 3);
  splice(fds[0], NULL, file, &(loff_t){2}, 3, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  tee(fds[0], fds[1], 1, SPLICE_F_NONBLOCK);
  copy_file_range(file, NULL, file, NULL, 0, 0);
  sync_file_range(file, 0, 1, SYNC_FILE_RANGE_WRITE);
  readahead(file, 0, 10);
  syscall(SYS_close_range, 100, 200, 4);
  return 0;
}
