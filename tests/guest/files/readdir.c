// getdents64(2) and the library's walk over it: large directories, positions, changes while reading.
#include "../guest.h"
#include <dirent.h>
#include <sys/socket.h>

static void make_files(const char* dir, int count) {
  int fd = MUST(open(dir, O_RDONLY | O_DIRECTORY));
  char name[32];
  for (int i = 0; i < count; ++i) {
    snprintf(name, sizeof name, "file%05d", i);
    close(MUST(openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)));
  }
  close(fd);
}

static int count_entries(DIR* dir) {
  int count = 0;
  while (readdir(dir) != NULL) count++;
  return count;
}

TEST(five_thousand_entries) {
  OK(mkdir("d", 0755));
  make_files("d", 5000);
  static char seen[5000];
  DIR* dir = opendir("d");
  REQUIRE(dir != NULL);
  int dots = 0, files = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') {
      dots++;
      continue;
    }
    int number = atoi(entry->d_name + 4);
    CHECK(seen[number] == 0);
    seen[number] = 1;
    files++;
  }
  CHECK_EQ(dots, 2);
  CHECK_EQ(files, 5000);
  rewinddir(dir);
  CHECK_EQ(count_entries(dir), 5002);
}

TEST(positions) {
  OK(mkdir("d", 0755));
  make_files("d", 300);
  DIR* dir = opendir("d");
  REQUIRE(dir != NULL);
  static char names[302][256];
  static long positions[302];
  int count = 0;
  for (;;) {
    positions[count] = telldir(dir);
    struct dirent* entry = readdir(dir);
    if (entry == NULL) break;
    snprintf(names[count++], 256, "%s", entry->d_name);
  }
  CHECK_EQ(count, 302);
  for (int i = 301; i >= 0; i -= 7) {
    seekdir(dir, positions[i]);
    struct dirent* entry = readdir(dir);
    CHECK(entry != NULL);
    if (entry != NULL) CHECK_STR(entry->d_name, names[i]);
  }
  rewinddir(dir);
  struct dirent* first = readdir(dir);
  CHECK(first != NULL && strcmp(first->d_name, names[0]) == 0);
}

TEST(deletion_while_reading) {
  OK(mkdir("d", 0755));
  make_files("d", 1000);
  DIR* dir = opendir("d");
  REQUIRE(dir != NULL);
  int removed = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    OK(unlinkat(dirfd(dir), entry->d_name, 0));
    removed++;
  }
  CHECK_EQ(removed, 1000);
  OK(rmdir("d"));
}

TEST(untouched_entries_appear_once_despite_changes) {
  OK(mkdir("d", 0755));
  make_files("d", 600);
  static int seen[600];
  char name[64];
  DIR* dir = opendir("d");
  REQUIRE(dir != NULL);
  int step = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL; ++step) {
    if (strncmp(entry->d_name, "file", 4) == 0) seen[atoi(entry->d_name + 4)]++;
    snprintf(name, sizeof name, "d/new%d", step);
    if (step < 300) guest_write_file(name, "");
    if (step < 100) {
      snprintf(name, sizeof name, "d/file%05d", 599 - step);
      OK(unlink(name));
    }
  }
  for (int i = 0; i < 500; ++i) CHECK_EQ(seen[i], 1);
}

TEST(rewinding_shows_new_entries) {
  OK(mkdir("d", 0755));
  DIR* dir = opendir("d");
  REQUIRE(dir != NULL);
  CHECK_EQ(count_entries(dir), 2);
  guest_write_file("d/a", "");
  rewinddir(dir);
  CHECK_EQ(count_entries(dir), 3);
  OK(unlink("d/a"));
  CHECK_EQ(lseek(dirfd(dir), 0, SEEK_SET), 0);
  char buffer[1024];
  CHECK(syscall(SYS_getdents64, dirfd(dir), buffer, sizeof buffer) > 0);
  CHECK_EQ(syscall(SYS_getdents64, dirfd(dir), buffer, sizeof buffer), 0);
}

TEST(shared_offsets) {
  OK(mkdir("d", 0755));
  make_files("d", 200);
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  int twin = MUST(dup(fd));
  char buffer[600];
  long first = OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
  CHECK(first > 0);
  off_t position = OK(lseek(fd, 0, SEEK_CUR));
  CHECK(position != 0);
  CHECK_EQ(lseek(twin, 0, SEEK_CUR), position);
  pid_t child = guest_fork();
  if (child == 0) {
    while (syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0) {
    }
    _exit(0);
  }
  OK(waitpid(child, NULL, 0));
  CHECK_EQ(syscall(SYS_getdents64, twin, buffer, sizeof buffer), 0);
  // A second open has an offset of its own.
  int own = MUST(open("d", O_RDONLY | O_DIRECTORY));
  CHECK(syscall(SYS_getdents64, own, buffer, sizeof buffer) > 0);
}

TEST(buffer_sizes) {
  OK(mkdir("d", 0755));
  make_files("d", 5);
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  char buffer[64];
  ERR(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
  int total = 0;
  for (;;) {
    long got = OK(syscall(SYS_getdents64, fd, buffer, 40));
    if (got <= 0) break;
    total++;
  }
  CHECK_EQ(total, 7);
  guest_write_file("f", "");
  int file = MUST(open("f", O_RDONLY));
  ERR(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
  ERR(syscall(SYS_getdents64, 555, buffer, sizeof buffer), EBADF);
  int fresh = MUST(open("d", O_RDONLY));
  ERR(read(fresh, buffer, 1), EISDIR);
  ERR(write(fd, buffer, 1), EBADF);
}

TEST(removed_directory) {
  OK(mkdir("d", 0755));
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  OK(rmdir("d"));
  char buffer[512];
  ERR(syscall(SYS_getdents64, fd, buffer, sizeof buffer), ENOENT);
}

TEST(the_old_call) {
  OK(mkdir("d", 0755));
  make_files("d", 3);
  int fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
  char buffer[1024];
  long got = OK(syscall(SYS_getdents, fd, buffer, sizeof buffer));
  int count = 0;
  for (long at = 0; at < got;) {
    unsigned short length = *(unsigned short*)(buffer + at + 16);
    REQUIRE(length > 0);
    count++;
    at += length;
  }
  CHECK_EQ(count, 5);
}

TEST(deep_trees) {
  char path[1024] = "t";
  MUST(mkdir(path, 0755));
  for (int i = 0; i < 60; ++i) {
    strcat(path, "/sub");
    MUST(mkdir(path, 0755));
  }
  strcat(path, "/leaf");
  guest_write_file(path, "bottom");
  CHECK_STR(guest_read_file(path), "bottom");
  CHECK_EQ(system("rm -r t"), 0);
  ERR(access("t", F_OK), ENOENT);
}

TEST(listings_of_the_image) {
  const char* dirs[] = {"/", "/etc", "/usr/bin", "/proc", "/dev", "/proc/self/fd", "/tmp"};
  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; ++i) {
    DIR* dir = opendir(dirs[i]);
    CHECK(dir != NULL);
    if (dir == NULL) continue;
    int count = count_entries(dir);
    if (count < 3 && strcmp(dirs[i], "/tmp") != 0) GUEST_FAILED("%s lists only %d entries", dirs[i], count);
    closedir(dir);
  }
}
