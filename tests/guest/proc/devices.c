// The devices every program expects: null, zero, full, random, tty, shm, fd and the standard streams.
#include "../guest.h"
#include <dirent.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

TEST(null_zero_full) {
  char buffer[64];
  int null = MUST(open("/dev/null", O_RDWR)), zero = MUST(open("/dev/zero", O_RDWR)), full = MUST(open("/dev/full", O_RDWR));
  CHECK_EQ(read(null, buffer, 64), 0);
  CHECK_EQ(write(null, buffer, 64), 64);
  memset(buffer, 1, 64);
  CHECK_EQ(read(zero, buffer, 64), 64);
  CHECK_EQ(buffer[63], 0);
  CHECK_EQ(write(zero, buffer, 64), 64);
  ERR(write(full, buffer, 64), ENOSPC);
  CHECK_EQ(read(full, buffer, 64), 64);
  OK(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644));
  char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  REQUIRE(map != MAP_FAILED);
  CHECK_EQ(map[0], 0);
  OK(truncate("/dev/null", 0) == -1 && errno == EINVAL ? 0 : -1);
}

TEST(random_numbers) {
  unsigned char a[32] = {0}, b[32] = {0};
  int random = MUST(open("/dev/urandom", O_RDONLY));
  CHECK_EQ(read(random, a, 32), 32);
  CHECK_EQ(read(MUST(open("/dev/random", O_RDONLY)), b, 32), 32);
  CHECK(memcmp(a, b, 32) != 0);
  CHECK_EQ(getrandom(a, 32, 0), 32);
}

TEST(numbers) {
  struct {
    const char* path;
    int major_number, minor_number;
  } devices[] = {{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}, {"/dev/ptmx", 5, 2}};
  for (int i = 0; i < 7; ++i) {
    struct stat st;
    OK(stat(devices[i].path, &st));
    CHECK_EQ(st.st_rdev, makedev(devices[i].major_number, devices[i].minor_number));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_mode & 0666, 0666);
  }
}

TEST(standard_streams) {
  guest_write_file("in", "from a file");
  int fd = MUST(open("in", O_RDONLY));
  OK(dup2(fd, 0));
  CHECK_STR(guest_read_file("/dev/stdin"), "from a file");
  CHECK_STR(guest_read_file("/dev/fd/0"), "from a file");
  char target[PATH_MAX] = {0};
  OK(readlink("/dev/fd", target, sizeof target - 1));
  CHECK_STR(target, "/proc/self/fd");
  int out = MUST(open("out", O_CREAT | O_WRONLY, 0644)), pair[2];
  (void)out;
  MUST(pipe(pair));
  OK(dup2(pair[1], 1));
  int again = open("/dev/stdout", O_WRONLY);
  CHECK(again >= 0 && write(again, "x", 1) == 1);
  char byte = 0;
  CHECK_EQ(read(pair[0], &byte, 1), 1);
  OK(dup2(2, 1));
}

TEST(shared_memory) {
  char name[64];
  snprintf(name, sizeof name, "/guest-%d", getpid());
  int fd = MUST(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600));
  OK(ftruncate(fd, 4096));
  char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(map != MAP_FAILED);
  IN_CHILD({
    int own = MUST(shm_open(name, O_RDWR, 0));
    char* mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    strcpy(mine, "shared");
  });
  CHECK_STR(map, "shared");
  OK(shm_unlink(name));
  ERR(shm_open(name, O_RDWR, 0), ENOENT);
  struct stat st;
  OK(stat("/dev/shm", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01777);
}

TEST(without_a_terminal) {
  IN_CHILD({
    setsid();
    ERR(open("/dev/tty", O_RDWR), ENXIO);
  });
}

TEST(the_directory) {
  DIR* dir = opendir("/dev");
  REQUIRE(dir != NULL);
  const char* names[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr"};
  int seen[13] = {0};
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;)
    for (int i = 0; i < 13; ++i) seen[i] |= strcmp(entry->d_name, names[i]) == 0;
  for (int i = 0; i < 13; ++i)
    if (!seen[i]) GUEST_FAILED("/dev/%s is not listed", names[i]);
}
