// /proc/self and /proc/<pid>: what a process sees of itself and of its children.
#include "../guest.h"
#include <dirent.h>
#include <elf.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

extern char** environ;

ROLE(wait) {
  pause();
  return 0;
}

static char* value_of(const char* file, const char* field) {
  static char value[256];
  char* text = guest_read_file(file);
  size_t length = strlen(field);
  for (char* line = text; line != NULL && *line != 0; line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1) {
    if (strncmp(line, field, length) == 0 && line[length] == ':') {
      sscanf(line + length + 1, " %255[^\n]", value);
      return value;
    }
  }
  GUEST_FAILED("%s has no field %s", file, field);
  value[0] = 0;
  return value;
}

static const char* link_of(const char* path) {
  static char target[2][PATH_MAX + 64];
  static int turn;
  char* result = target[turn ^= 1];
  memset(result, 0, sizeof target[0]);
  OK(readlink(path, result, sizeof target[0] - 1));
  return result;
}

TEST(self_is_the_caller) {
  char want[32];
  snprintf(want, sizeof want, "%d", getpid());
  CHECK_STR(link_of("/proc/self"), want);
  snprintf(want, sizeof want, "%d/task/%d", getpid(), (int)syscall(SYS_gettid));
  CHECK_STR(link_of("/proc/thread-self"), want);
  IN_CHILD({
    char mine[32];
    snprintf(mine, sizeof mine, "%d", getpid());
    CHECK_STR(link_of("/proc/self"), mine);
  });
}

TEST(exe_cwd_root) {
  CHECK_STR(link_of("/proc/self/exe"), guest_self);
  CHECK_STR(link_of("/proc/self/cwd"), guest_dir);
  CHECK_STR(link_of("/proc/self/root"), "/");
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  char want[PATH_MAX + 8];
  snprintf(want, sizeof want, "%s/d", guest_dir);
  CHECK_STR(link_of("/proc/self/cwd"), want);
  guest_write_file("f", "through cwd");
  CHECK_STR(guest_read_file("/proc/self/cwd/f"), "through cwd");
  CHECK_STR(guest_read_file("/proc/self/root/proc/self/cwd/f"), "through cwd");
  struct stat a, b;
  OK(stat("/proc/self/exe", &a));
  OK(stat(guest_self, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  int fd = MUST(open("/proc/self/exe", O_RDONLY));
  char magic[4];
  CHECK_EQ(read(fd, magic, 4), 4);
  CHECK(memcmp(magic, ELFMAG, 4) == 0);
}

TEST(cmdline_comm_environ) {
  int fd = MUST(open("/proc/self/cmdline", O_RDONLY));
  char text[4096];
  ssize_t got = OK(read(fd, text, sizeof text));
  CHECK(got > 0 && text[got - 1] == 0);
  CHECK(strstr(text, "self") != NULL);
  CHECK_STR(guest_read_file("/proc/self/comm"), "self\n");
  OK(prctl(PR_SET_NAME, "renamed-to-be-long"));
  CHECK_STR(guest_read_file("/proc/self/comm"), "renamed-to-be-l\n");
  CHECK_STR(value_of("/proc/self/status", "Name"), "renamed-to-be-l");
  fd = MUST(open("/proc/self/comm", O_WRONLY));
  CHECK_EQ(write(fd, "written", 7), 7);
  CHECK_STR(guest_read_file("/proc/self/comm"), "written\n");
  fd = MUST(open("/proc/self/environ", O_RDONLY));
  static char content[1 << 16];
  got = OK(read(fd, content, sizeof content - 1));
  if (environ[0] != NULL) CHECK(memmem(content, got, environ[0], strlen(environ[0]) + 1) != NULL);
}

TEST(of_a_child) {
  pid_t child = guest_fork();
  if (child == 0) {
    execle(guest_self, "child-name", "@wait", "third argument", NULL, (char*[]){"ONLY=this", NULL});
    _exit(1);
  }
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/cmdline", child);
  WAIT_UNTIL(strcmp(guest_read_file(path), "child-name") == 0);
  int fd = MUST(open(path, O_RDONLY));
  CHECK_EQ(read(fd, text, sizeof text), 11 + 6 + 15);
  CHECK(memcmp(text, "child-name\0@wait\0third argument\0", 32) == 0);
  snprintf(path, sizeof path, "/proc/%d/environ", child);
  CHECK_STR(guest_read_file(path), "ONLY=this");
  snprintf(path, sizeof path, "/proc/%d/exe", child);
  CHECK_STR(link_of(path), guest_self);
  snprintf(path, sizeof path, "/proc/%d/cwd", child);
  CHECK_STR(link_of(path), guest_dir);
  snprintf(path, sizeof path, "/proc/%d/status", child);
  CHECK_EQ(atoi(value_of(path, "PPid")), getpid());
  CHECK_EQ(atoi(value_of(path, "Pid")), child);
  WAIT_UNTIL(value_of(path, "State")[0] == 'S');
  OK(kill(child, SIGKILL));
  WAIT_UNTIL(value_of(path, "State")[0] == 'Z');
  OK(waitpid(child, NULL, 0));
  ERR(open(path, O_RDONLY), ENOENT);
  snprintf(path, sizeof path, "/proc/%d", child);
  ERR(access(path, F_OK), ENOENT);
}

TEST(an_open_file_of_a_dead_process) {
  pid_t child = guest_fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  int fd = MUST(open(path, O_RDONLY));
  snprintf(path, sizeof path, "/proc/%d", child);
  int dir = MUST(open(path, O_RDONLY | O_DIRECTORY));
  OK(kill(child, SIGKILL));
  OK(waitpid(child, NULL, 0));
  ERR(read(fd, text, sizeof text), ESRCH);
  errno = 0;
  CHECK(openat(dir, "stat", O_RDONLY) == -1 && (errno == ESRCH || errno == ENOENT));
}

TEST(auxiliary_vector) {
  int fd = MUST(open("/proc/self/auxv", O_RDONLY));
  Elf64_auxv_t entries[64];
  ssize_t got = OK(read(fd, entries, sizeof entries));
  int seen = 0;
  for (size_t i = 0; i < got / sizeof *entries && entries[i].a_type != AT_NULL; ++i) {
    unsigned long type = entries[i].a_type, value = entries[i].a_un.a_val;
    if (type == AT_PHDR || type == AT_ENTRY || type == AT_BASE || type == AT_PAGESZ || type == AT_UID || type == AT_RANDOM ||
        type == AT_EXECFN || type == AT_SYSINFO_EHDR || type == AT_PHNUM) {
      CHECK_EQ(getauxval(type), value);
      seen++;
    }
  }
  CHECK_EQ(seen, 9);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_STR((char*)getauxval(AT_EXECFN), guest_self);
  extern char __ehdr_start;
  CHECK_EQ(getauxval(AT_PHDR), (uintptr_t)&__ehdr_start + sizeof(Elf64_Ehdr));
}

TEST(maps) {
  char* text = guest_read_file("/proc/self/maps");
  int program = 0, libc = 0, stack = 0, heap = 0, vdso = 0;
  free(malloc(100));
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    unsigned long start, end, offset, inode;
    unsigned major_number, minor_number;
    char rights[8], path[PATH_MAX] = "";
    int fields = sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %4095[^\n]", &start, &end, rights, &offset, &major_number, &minor_number, &inode, path);
    CHECK(fields >= 7);
    CHECK(start < end && start % 4096 == 0);
    if (strcmp(path, guest_self) == 0) {
      program++;
      struct stat st;
      OK(stat(guest_self, &st));
      CHECK_EQ(inode, st.st_ino);
    }
    if (strstr(path, "/libc.so") != NULL) libc++;
    if (strcmp(path, "[stack]") == 0) stack++;
    if (strcmp(path, "[heap]") == 0) heap++;
    if (strcmp(path, "[vdso]") == 0) vdso++;
  }
  CHECK(program >= 3);
  CHECK(libc >= 3);
  CHECK_EQ(stack, 1);
  CHECK(heap <= 1);
  CHECK_EQ(vdso, 1);
}

TEST(maps_names_a_mapped_file) {
  guest_write_file("mapped file", "x");
  int fd = MUST(open("mapped file", O_RDONLY));
  void* map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  REQUIRE(map != MAP_FAILED);
  char want[PATH_MAX + 32];
  snprintf(want, sizeof want, " %s/mapped file\n", guest_dir);
  CHECK(strstr(guest_read_file("/proc/self/maps"), want) != NULL);
  char* smaps = guest_read_file("/proc/self/smaps");
  CHECK(strstr(smaps, want) != NULL);
  CHECK(strstr(smaps, "Rss:") != NULL);
  OK(access("/proc/self/smaps_rollup", R_OK));
}

TEST(status_fields) {
  CHECK_EQ(atoi(value_of("/proc/self/status", "Pid")), getpid());
  CHECK_EQ(atoi(value_of("/proc/self/status", "Tgid")), getpid());
  CHECK_EQ(atoi(value_of("/proc/self/status", "PPid")), getppid());
  CHECK_EQ(atoi(value_of("/proc/self/status", "TracerPid")), 0);
  CHECK_EQ(atoi(value_of("/proc/self/status", "Threads")), 1);
  CHECK(atoi(value_of("/proc/self/status", "VmRSS")) > 0);
  unsigned real, effective, saved, fs;
  CHECK_EQ(sscanf(value_of("/proc/self/status", "Uid"), "%u %u %u %u", &real, &effective, &saved, &fs), 4);
  CHECK_EQ(real, getuid());
  CHECK_EQ(effective, geteuid());
  umask(0135);
  CHECK_STR(value_of("/proc/self/status", "Umask"), "0135");
  CHECK_STR(value_of("/proc/self/status", "Name"), "self");
  CHECK(value_of("/proc/self/status", "State")[0] == 'R');
}

TEST(stat_fields) {
  int pid, parent, group, session;
  char name[32], state;
  CHECK_EQ(sscanf(guest_read_file("/proc/self/stat"), "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &parent, &group, &session), 6);
  CHECK_EQ(pid, getpid());
  CHECK_STR(name, "self");
  CHECK_EQ(state, 'R');
  CHECK_EQ(parent, getppid());
  CHECK_EQ(group, getpgrp());
  CHECK_EQ(session, getsid(0));
  char* text = strrchr(guest_read_file("/proc/self/stat"), ')');
  int spaces = 0;
  for (; text != NULL && *text != 0; ++text) spaces += *text == ' ';
  CHECK_EQ(spaces, 50);
  long size, resident;
  CHECK_EQ(sscanf(guest_read_file("/proc/self/statm"), "%ld %ld", &size, &resident), 2);
  CHECK(size > resident && resident > 0);
}

TEST(descriptors) {
  guest_write_file("f", "0123456789");
  int fd = MUST(open("f", O_RDWR | O_APPEND | O_CLOEXEC)), pair[2];
  MUST(pipe(pair));
  OK(lseek(fd, 7, SEEK_SET));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  CHECK_EQ(atoi(value_of(path, "pos")), 7);
  CHECK_EQ(strtol(value_of(path, "flags"), NULL, 8) & (O_APPEND | O_RDWR | O_CLOEXEC), O_APPEND | O_RDWR | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", pair[0]);
  CHECK(strncmp(link_of(path), "pipe:[", 6) == 0);
  // The listing names exactly what is open, its own descriptor included.
  DIR* dir = opendir("/proc/self/fd");
  REQUIRE(dir != NULL);
  int seen_fd = 0, seen_dir = 0, wrong = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    int number = atoi(entry->d_name);
    seen_fd |= number == fd;
    seen_dir |= number == dirfd(dir);
    wrong += fcntl(number, F_GETFD) < 0;
  }
  CHECK(seen_fd && seen_dir);
  CHECK_EQ(wrong, 0);
  struct stat st;
  OK(lstat(path, &st));
  CHECK_EQ(st.st_mode & S_IFMT, S_IFLNK);
  CHECK_EQ(st.st_mode & 0700, 0500);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OK(lstat(path, &st));
  CHECK_EQ(st.st_mode & 0700, 0700);
  // EPERM; where the sandbox asks the directory's mode first, EACCES.
  CHECK(unlink(path) == -1 && (errno == EPERM || errno == EACCES));
  ERR(symlink("x", "/proc/self/fd/99"), ENOENT);
}

TEST(mounts) {
  char* text = guest_read_file("/proc/self/mountinfo");
  int root = 0, proc = 0, lines = 0;
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char mount_point[PATH_MAX], rights[256];
    int id, parent, major_number, minor_number;
    char within[PATH_MAX];
    CHECK_EQ(sscanf(line, "%d %d %d:%d %4095s %4095s %255s", &id, &parent, &major_number, &minor_number, within, mount_point, rights), 7);
    CHECK(strstr(line, " - ") != NULL);
    root |= strcmp(mount_point, "/") == 0;
    proc |= strcmp(mount_point, "/proc") == 0;
    lines++;
  }
  CHECK(root && proc && lines >= 2);
  text = guest_read_file("/proc/self/mounts");
  CHECK(strstr(text, " /proc proc ") != NULL);
  CHECK(strstr(guest_read_file("/proc/mounts"), " /proc proc ") != NULL);
  CHECK(strstr(guest_read_file("/proc/self/mountstats"), "/proc") != NULL);
}

static atomic_int waiting;

static void* waits(void* argument) {
  prctl(PR_SET_NAME, "a-thread");
  waiting++;
  char byte;
  if (read(*(int*)argument, &byte, 1) < 0) return argument;
  return NULL;
}

TEST(tasks) {
  int pair[2];
  MUST(pipe(pair));
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) REQUIRE(pthread_create(&threads[i], NULL, waits, &pair[0]) == 0);
  WAIT_UNTIL(waiting == 3);
  DIR* dir = opendir("/proc/self/task");
  REQUIRE(dir != NULL);
  int count = 0, named = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    count++;
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    named += strcmp(guest_read_file(path), "a-thread\n") == 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    CHECK_EQ(atoi(value_of(path, "Pid")), atoi(entry->d_name));
    CHECK_EQ(atoi(value_of(path, "Tgid")), getpid());
  }
  CHECK_EQ(count, 4);
  CHECK_EQ(named, 3);
  CHECK_EQ(atoi(value_of("/proc/self/status", "Threads")), 4);
  struct stat st;
  OK(stat("/proc/self/task", &st));
  CHECK_EQ(st.st_nlink, 6);
}

TEST(directory_lists_processes) {
  DIR* dir = opendir("/proc");
  REQUIRE(dir != NULL);
  int self = 0, parent = 0, meminfo = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    self |= atoi(entry->d_name) == getpid();
    parent |= atoi(entry->d_name) == getppid();
    meminfo |= strcmp(entry->d_name, "meminfo") == 0;
  }
  CHECK(self && parent && meminfo);
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%d", getpid());
  OK(stat(path, &st));
  CHECK_EQ(st.st_uid, geteuid());
  CHECK_EQ(st.st_mode, S_IFDIR | 0555);
  ERR(access("/proc/999999", F_OK), ENOENT);
  ERR(mkdir("/proc/new", 0755), ENOENT);
  ERR(open("/proc/new", O_CREAT | O_WRONLY, 0644), ENOENT);
}

TEST(other_files) {
  const char* names[] = {"limits", "io", "oom_score", "oom_score_adj", "cgroup", "wchan", "personality", "loginuid", "uid_map", "gid_map", "setgroups", "schedstat", "sessionid", "timers"};
  char path[64];
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    snprintf(path, sizeof path, "/proc/self/%s", names[i]);
    if (access(path, F_OK) != 0) GUEST_FAILED("%s is missing", path);
  }
  CHECK(strstr(guest_read_file("/proc/self/limits"), "Max open files") != NULL);
  CHECK(strchr(guest_read_file("/proc/self/cgroup"), ':') != NULL);
  const char* namespaces[] = {"pid", "mnt", "user", "net", "uts", "ipc", "cgroup"};
  for (int i = 0; i < 7; ++i) {
    snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[i]);
    CHECK(strncmp(link_of(path), namespaces[i], strlen(namespaces[i])) == 0);
  }
}

TEST(own_descriptors_stay_readable) {
  NEEDS_ROOT();
  IN_CHILD({
    char target[PATH_MAX];
    uid_t ids[] = {1000, 0, 2000, 0, 1000};
    for (int i = 0; i < 5; ++i) {
      MUST(syscall(SYS_setresuid, -1, ids[i], -1));
      CHECK(readlink("/proc/self/fd/1", target, sizeof target) > 0);
      OK(access("/proc/self/environ", F_OK));
    }
  });
}
