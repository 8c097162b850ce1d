// What a workload can reach: read-only mounts through any descriptor, the host's processes, devices and kernel files.
#include "../guest/guest.h"
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static char read_only[PATH_MAX];

// A directory that is bound read-only, with a file f, a directory d and a link l in it.
static void enter_read_only(void) {
  const char* dir = getenv("GUEST_READ_ONLY");
  if (dir == NULL) SKIP("GUEST_READ_ONLY is not set");
  snprintf(read_only, sizeof read_only, "%s", dir);
  MUST(chdir(dir));
}

TEST(writes_by_path) {
  enter_read_only();
  ERR(open("f", O_WRONLY), EROFS);
  ERR(open("f", O_RDWR), EROFS);
  ERR(open("f", O_RDONLY | O_TRUNC), EROFS);
  ERR(open("new", O_CREAT | O_WRONLY, 0644), EROFS);
  ERR(open(".", O_TMPFILE | O_RDWR, 0644), EROFS);
  ERR(mkdir("new", 0755), EROFS);
  ERR(rmdir("d"), EROFS);
  ERR(unlink("f"), EROFS);
  ERR(symlink("x", "new"), EROFS);
  ERR(link("f", "new"), EROFS);
  ERR(rename("f", "g"), EROFS);
  ERR(mknod("new", S_IFIFO | 0644, 0), EROFS);
  ERR(chmod("f", 0777), EROFS);
  ERR(chown("f", 1, 1), EROFS);
  ERR(lchown("l", 1, 1), EROFS);
  ERR(truncate("f", 0), EROFS);
  ERR(utimensat(AT_FDCWD, "f", NULL, 0), EROFS);
  ERR(setxattr("f", "user.x", "v", 1, 0), EROFS);
  ERR(removexattr("f", "user.x"), EROFS);
  ERR(access("f", W_OK), EROFS);
  ERR(mkdir("d", 0755), EEXIST);
  OK(open("f", O_RDONLY));
}

TEST(writes_by_descriptor) {
  enter_read_only();
  int fd = MUST(open("f", O_RDONLY)), dir = MUST(open("d", O_RDONLY | O_DIRECTORY)), path = MUST(open("f", O_PATH));
  for (int i = 0; i < 2; ++i) {
    int target = i == 0 ? fd : dir;
    ERR(fchmod(target, 0777), EROFS);
    ERR(fchown(target, 1, 1), EROFS);
    ERR(futimens(target, NULL), EROFS);
    ERR(fsetxattr(target, "user.x", "v", 1, 0), EROFS);
    ERR(fremovexattr(target, "user.x"), EROFS);
    ERR(fchownat(target, "", 1, 1, AT_EMPTY_PATH), EROFS);
    ERR(utimensat(target, "", NULL, AT_EMPTY_PATH), EROFS);
    int flags = FS_NODUMP_FL;
    CHECK(ioctl(target, FS_IOC_SETFLAGS, &flags) == -1);
    struct fsxattr attributes = {0};
    CHECK(ioctl(target, FS_IOC_FSSETXATTR, &attributes) == -1);
  }
  CHECK(ftruncate(fd, 0) == -1);
  CHECK(fallocate(fd, 0, 0, 100) == -1);
  CHECK(write(fd, "x", 1) == -1);
  ERR((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  char link[64];
  for (int i = 0; i < 2; ++i) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", i == 0 ? fd : path);
    ERR(open(link, O_WRONLY), EROFS);
    ERR(open(link, O_RDWR), EROFS);
    ERR(truncate(link, 0), EROFS);
    ERR(chmod(link, 0777), EROFS);
  }
  ERR(openat(dir, "new", O_CREAT | O_WRONLY, 0644), EROFS);
  ERR(unlinkat(dir, "../f", 0), EROFS);
  OK(fchdir(dir));
  ERR(open("../f", O_WRONLY), EROFS);
  int pair[2];
  MUST(pipe(pair));
  CHECK_EQ(write(pair[1], "xyz", 3), 3);
  CHECK(splice(pair[0], NULL, fd, NULL, 3, 0) == -1);
  CHECK(copy_file_range(fd, NULL, fd, NULL, 1, 0) == -1);
  struct file_clone_range range = {.src_fd = fd};
  CHECK(ioctl(fd, FICLONERANGE, &range) == -1);
  CHECK_STR(guest_read_file("../f"), "read only");
}

TEST(links_into_and_out_of_a_read_only_mount) {
  enter_read_only();
  char inside[PATH_MAX + 16], outside[PATH_MAX + 16];
  snprintf(inside, sizeof inside, "%s/f", read_only);
  snprintf(outside, sizeof outside, "%s/new", guest_dir);
  // A hard link elsewhere would be a writable name of the same file.
  errno = 0;
  CHECK(link(inside, outside) == -1 && (errno == EXDEV || errno == EROFS));
  int fd = MUST(open(inside, O_RDONLY));
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  CHECK(linkat(AT_FDCWD, proc, AT_FDCWD, outside, AT_SYMLINK_FOLLOW) == -1);
  CHECK(rename(inside, outside) == -1);
  ERR(access(outside, F_OK), ENOENT);
}

TEST(other_processes_of_the_host) {
  if (getenv("GUEST_SANDBOXED") == NULL) SKIP("only inside a sandbox");
  const char* host_pid = getenv("GUEST_HOST_PID");
  DIR* dir = opendir("/proc");
  REQUIRE(dir != NULL);
  int count = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (atoi(entry->d_name) <= 0) continue;
    count++;
    char path[300], line[4096] = {0};
    snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && read(fd, line, sizeof line - 1) > 0 && strstr(line, "/tools/sandbox") != NULL) GUEST_FAILED("%s is the sentry", path);
    if (fd >= 0) close(fd);
  }
  CHECK(count < 20);
  if (host_pid != NULL) ERR(kill(atoi(host_pid), 0), ESRCH);
  struct stat st;
  const char* names[] = {"/proc/1/root/etc", "/proc/1/cwd", "/proc/self/root/..", "/proc/1/exe"};
  for (int i = 0; i < 4; ++i) stat(names[i], &st);  // may fail, must not leave
  OK(stat("/proc/self/root/../..", &st));
  struct stat root;
  OK(stat("/", &root));
  CHECK_EQ(st.st_ino, root.st_ino);
}

TEST(kernel_files_are_closed) {
  if (getenv("GUEST_SANDBOXED") == NULL) SKIP("only inside a sandbox");
  const char* names[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/port", "/proc/self/attr/exec"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    int fd = open(names[i], O_WRONLY);
    if (fd >= 0 && write(fd, "0", 1) > 0 && strcmp(names[i], "/proc/self/attr/exec") != 0) GUEST_FAILED("%s can be written", names[i]);
    if (fd >= 0) close(fd);
  }
  ERR(access("/proc/kcore", R_OK), ENOENT);
}

TEST(devices_cannot_be_made) {
  if (getenv("GUEST_SANDBOXED") == NULL) SKIP("only inside a sandbox");
  // 1:1 is /dev/mem, 254:0 and 8:0 are disks.
  struct {
    mode_t mode;
    dev_t number;
  } devices[] = {{S_IFCHR | 0666, makedev(1, 1)}, {S_IFBLK | 0666, makedev(8, 0)}, {S_IFBLK | 0666, makedev(254, 0)}, {S_IFBLK | 0666, makedev(253, 0)}};
  for (int i = 0; i < 4; ++i) {
    char name[16];
    snprintf(name, sizeof name, "dev%d", i);
    if (mknod(name, devices[i].mode, devices[i].number) == 0 && open(name, O_RDONLY) >= 0) GUEST_FAILED("device %d can be made and opened", i);
  }
  DIR* dir = opendir("/dev");
  REQUIRE(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    if (lstat(path, &st) == 0 && S_ISBLK(st.st_mode)) GUEST_FAILED("%s is a block device of the host", path);
  }
}

TEST(the_running_program_cannot_be_written) {
  errno = 0;
  int fd = open("/proc/self/exe", O_WRONLY);
  CHECK(fd == -1 && (errno == ETXTBSY || errno == EACCES || errno == EROFS));
  fd = MUST(open("/proc/self/exe", O_PATH));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  errno = 0;
  fd = open(path, O_WRONLY | O_TRUNC);
  CHECK(fd == -1 && (errno == ETXTBSY || errno == EACCES || errno == EROFS));
}

TEST(a_directory_descriptor_stays_inside) {
  // Calls that the kernel runs itself on the descriptor of a directory see nothing of the host.
  int fd = MUST(open("/", O_RDONLY | O_DIRECTORY)), pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  CHECK_EQ(sendmsg(pair[0], &message, 0), 1);
  memset(control, 0, sizeof control);
  CHECK_EQ(recvmsg(pair[1], &message, 0), 1);
  int received;
  memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  struct stat st, up;
  OK(fstatat(received, "..", &up, 0));
  OK(fstatat(received, ".", &st, 0));
  CHECK_EQ(st.st_ino, up.st_ino);
  OK(fchdir(received));
  for (int i = 0; i < 20; ++i) OK(chdir(".."));
  OK(stat("etc/passwd", &st));
  char cwd[64];
  CHECK(getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0);
}

TEST(leaving_a_chroot_stays_in_the_sandbox) {
  NEEDS_ROOT();
  struct stat before, after;
  OK(stat("/", &before));
  OK(mkdir("jail", 0755));
  int out = MUST(open("/", O_RDONLY | O_DIRECTORY));
  IN_CHILD({
    MUST(chroot("jail"));
    // The well-known way out of a chroot; it must end at the sandbox's root.
    mkdir("x", 0755);
    MUST(fchdir(out));
    for (int i = 0; i < 100; ++i) OK(chdir(".."));
    MUST(chroot("."));
    OK(stat("/", &after));
    CHECK_EQ(before.st_ino, after.st_ino);
    OK(access("/etc/passwd", F_OK));
    OK(access("/proc/self/status", F_OK));
  });
}

TEST(no_descriptor_of_the_sentry) {
  int from = getenv("GUEST_SANDBOXED") != NULL ? 3 : 1024;
  for (int i = from; i < 2000; ++i) {
    if (fcntl(i, F_GETFD) < 0) continue;
    char path[64], target[PATH_MAX] = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    if (readlink(path, target, sizeof target - 1) < 0) strcpy(target, "?");
    GUEST_FAILED("descriptor %d is open: %s", i, target);
  }
}
