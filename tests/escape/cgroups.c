// Leaving or loosening the sandbox's control groups: by their files, by mounts, by links below /proc.
#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "../guest/guest.h"

#define SANDBOX_ONLY() \
  if (getenv("GUEST_SANDBOXED") == NULL) SKIP("only inside a sandbox: outside, these files are the host's")

// Who owns the file is told that the mount is read-only, anybody else may hear that it is not his.
#define REFUSED(call)                                                             \
  do {                                                                            \
    errno = 0;                                                                    \
    long long result_ = (call);                                                   \
    CHECK(result_ == -1 && (errno == EROFS || (errno == EACCES && geteuid() != 0))); \
  } while (0)

// The directories of all groups that are shown: the mount points of type cgroup and cgroup2.
static char groups[32][256];
static int group_count;

static void find_groups(void) {
  SANDBOX_ONLY();
  FILE* mounts = fopen("/proc/self/mounts", "r");
  CHECK(mounts != NULL);
  char source[64], type[64];
  while (group_count < 32 && fscanf(mounts, "%63s %255s %63s %*[^\n]", source, groups[group_count], type) == 3)
    if (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0) ++group_count;
  fclose(mounts);
  if (group_count == 0) SKIP("the host has no control groups");
}

// Calls `check` with the path of every file of every group.
static void each_file(void (*check)(const char* path, const char* name)) {
  for (int i = 0; i < group_count; ++i) {
    DIR* directory = opendir(groups[i]);
    CHECK(directory != NULL);
    struct dirent* entry;
    while ((entry = readdir(directory)) != NULL) {
      char path[1024];
      snprintf(path, sizeof path, "%.255s/%s", groups[i], entry->d_name);
      if (entry->d_type != DT_DIR) check(path, entry->d_name);
    }
    closedir(directory);
  }
}

static void refuse_writing(const char* path, const char* name __attribute__((unused))) {
  const int flags[] = {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_CREAT, O_WRONLY | O_APPEND};
  for (int i = 0; i < 5; ++i) REFUSED(open(path, flags[i], 0644));
  REFUSED(truncate(path, 0));
  ERR(chmod(path, 0666), EROFS);
  ERR(chown(path, 1, 1), EROFS);
  REFUSED(unlink(path));
  REFUSED(access(path, W_OK));
}

TEST(no_file_is_written) {
  find_groups();
  each_file(refuse_writing);
}

// What was opened for reading is a private copy: nothing that is done with it reaches the group.
static void refuse_by_descriptor(const char* path, const char* name) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    CHECK(errno == EINVAL || errno == EOPNOTSUPP || errno == EACCES || errno == EIO);
    return;
  }
  char link[64], before[4096], after[4096];
  ssize_t length = pread(fd, before, sizeof before, 0);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  CHECK(open(link, O_WRONLY) == -1);
  CHECK(open(link, O_RDWR) == -1);
  CHECK(write(fd, "0\n", 2) == -1);
  CHECK(ftruncate(fd, 0) == -1);
  CHECK(fchmod(fd, 0666) == -1);
  if (strstr(name, ".limit_in_bytes") == NULL && strstr(name, ".max") == NULL) return (void)close(fd);
  CHECK_EQ(pread(fd, after, sizeof after, 0), length);
  CHECK(length <= 0 || memcmp(before, after, length) == 0);
  close(fd);
}

TEST(no_file_is_written_through_a_descriptor) {
  find_groups();
  each_file(refuse_by_descriptor);
}

TEST(no_group_is_made_or_removed) {
  find_groups();
  for (int i = 0; i < group_count; ++i) {
    char path[320];
    snprintf(path, sizeof path, "%.255s/child", groups[i]);
    REFUSED(mkdir(path, 0755));
    REFUSED(symlink("/", path));
    REFUSED(open(path, O_CREAT | O_WRONLY, 0644));
    snprintf(path, sizeof path, "%.255s/..", groups[i]);
    CHECK(rename(groups[i], "/sys/fs/cgroup/moved") == -1);
    CHECK(rmdir(groups[i]) == -1);
    OK(access(path, F_OK));
  }
}

TEST(only_the_own_group_is_seen) {
  find_groups();
  for (int i = 0; i < group_count; ++i) {
    DIR* directory = opendir(groups[i]);
    CHECK(directory != NULL);
    struct dirent* entry;
    while ((entry = readdir(directory)) != NULL) {
      int is_dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
      if (!is_dot) CHECK_EQ(entry->d_type, DT_REG);
      // What the kernel hides in a cgroup namespace.
      CHECK(strcmp(entry->d_name, "release_agent") != 0);
    }
    closedir(directory);
    char path[320];
    snprintf(path, sizeof path, "%.255s/release_agent", groups[i]);
    ERR(access(path, F_OK), ENOENT);
  }
}

// Every line of /proc/self/cgroup names the root of what is shown, and nothing of the host's path.
TEST(the_path_is_the_root) {
  SANDBOX_ONLY();
  char* text = guest_read_file("/proc/self/cgroup");
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char* path = strchr(strchr(line, ':') + 1, ':') + 1;
    CHECK_STR(path, "/");
  }
  CHECK_STR(guest_read_file("/proc/1/cpuset"), "/\n");
  char* mounts = guest_read_file("/proc/self/mountinfo");
  for (char* line = strtok(mounts, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char root[PATH_MAX];
    if (strstr(line, " - cgroup") == NULL) continue;
    CHECK_EQ(sscanf(line, "%*s %*s %*s %4095s", root), 1);
    CHECK_STR(root, "/");
    CHECK(strstr(line, " ro,") != NULL);
  }
}

static void check_pids(const char* path, const char* name) {
  if (strcmp(name, "cgroup.procs") != 0 && strcmp(name, "tasks") != 0) return;
  char own[32], *text = guest_read_file(path);
  int is_listed = 0;
  snprintf(own, sizeof own, "%d", getpid());
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char process[64];
    snprintf(process, sizeof process, "/proc/%s", line);
    is_listed |= strcmp(line, own) == 0;
    // It may have ended since; a number of the host's would be missing for good.
    if (access(process, F_OK) != 0) CHECK(kill(atoi(line), 0) == -1 && errno == ESRCH);
  }
  CHECK(is_listed);
}

TEST(processes_have_the_sandboxs_numbers) {
  find_groups();
  each_file(check_pids);
}

// Mounting them anew gives the same view, and no way to loosen the first.
TEST(mounts_do_not_help) {
  find_groups();
  if (geteuid() != 0) SKIP("needs root inside");
  MUST(mkdir("mounted", 0755));
  for (int i = 0; i < group_count; ++i) ERR(mount(NULL, groups[i], NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
  for (int i = 0; i < group_count; ++i) ERR(umount2(groups[i], MNT_DETACH), EINVAL);
  ERR(umount2("/sys/fs/cgroup", MNT_DETACH), EINVAL);
  ERR(mount("none", "mounted", "cgroup", 0, "release_agent=/tmp/x,memory"), ENODEV);
  ERR(mount("none", "mounted", "cgroup", 0, "none,name=mine"), ENODEV);
  const char* const types[] = {"cgroup2", "cgroup"};
  for (int i = 0; i < 2; ++i) {
    if (mount("none", "mounted", types[i], 0, i == 0 ? NULL : "memory") != 0) {
      CHECK_EQ(errno, ENODEV);
      continue;
    }
    struct statfs numbers;
    OK(statfs("mounted", &numbers));
    CHECK_EQ(numbers.f_type, i == 0 ? 0x63677270 : 0x27e0eb);
    ERR(open("mounted/cgroup.procs", O_WRONLY), EACCES);
    CHECK(mkdir("mounted/child", 0755) == -1);
    ERR(access("mounted/release_agent", F_OK), ENOENT);
    OK(umount("mounted"));
  }
  OK(mount(groups[0], "mounted", NULL, MS_BIND, NULL));
  ERR(open("mounted/cgroup.procs", O_WRONLY), EROFS);
  ERR(mount(NULL, "mounted", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
}

// A new process is where its parent is, whatever it asks for.
TEST(clone_into_another_group) {
  find_groups();
  int directory = MUST(open(groups[0], O_RDONLY | O_DIRECTORY));
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } arguments = {.flags = 0x200000000ull, .exit_signal = SIGCHLD, .cgroup = directory};
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  CHECK(child == -1);
}
