// mmap(2) of files: shared mappings, write(2) and other openers see one content.
#include "../guest.h"
#include <sys/resource.h>

TEST(shared_and_write_agree) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644)), other = MUST(open("f", O_RDWR));
  OK(ftruncate(fd, 8192));
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(map != MAP_FAILED);
  CHECK_EQ(pwrite(other, "written", 7, 100), 7);
  CHECK(memcmp(map + 100, "written", 7) == 0);
  memcpy(map + 5000, "mapped", 6);
  char text[8] = {0};
  CHECK_EQ(pread(other, text, 6, 5000), 6);
  CHECK_STR(text, "mapped");
  OK(msync(map, 8192, MS_SYNC));
  OK(rename("f", "g"));
  OK(unlink("g"));
  map[0] = 'z';
  CHECK_EQ(pread(fd, text, 1, 0), 1);
  CHECK_EQ(text[0], 'z');
}

TEST(shared_between_processes) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 4096));
  volatile int* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(map != MAP_FAILED);
  pid_t child = guest_fork();
  if (child == 0) {
    int own = open("f", O_RDWR);
    volatile int* mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    mine[3] = 77;
    _exit(0);
  }
  OK(waitpid(child, NULL, 0));
  CHECK_EQ(map[3], 77);
}

TEST(private_does_not_write_back) {
  guest_write_file("f", "original");
  int fd = MUST(open("f", O_RDONLY));
  char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  REQUIRE(map != MAP_FAILED);
  map[0] = 'O';
  CHECK_STR(guest_read_file("f"), "original");
  CHECK_EQ(map[20], 0);
}

TEST(a_lower_file_that_is_written_later) {
  // An image file mapped before it is copied up must not lose its content.
  int fd = MUST(open("/etc/passwd", O_RDONLY));
  char* map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  REQUIRE(map != MAP_FAILED);
  CHECK(memcmp(map, "root:", 5) == 0);
  char first[5];
  CHECK_EQ(pread(fd, first, 5, 0), 5);
  CHECK(memcmp(map, first, 5) == 0);
}

TEST(rights) {
  guest_write_file("f", "x");
  int r = MUST(open("f", O_RDONLY)), w = MUST(open("f", O_WRONLY)), path = MUST(open("f", O_PATH));
  ERR((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0), EACCES);
  ERR((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, w, 0), EACCES);
  ERR((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
  int dir = MUST(open(".", O_RDONLY));
  ERR((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
  void* executable = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, r, 0);
  CHECK(executable != MAP_FAILED);
  char* shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, r, 0);
  REQUIRE(shared != MAP_FAILED);
  ERR(mprotect(shared, 4096, PROT_READ | PROT_WRITE), EACCES);
}

static volatile sig_atomic_t bus_errors;
static char* bus_map;
static void on_bus(int number) {
  (void)number;
  bus_errors++;
  mmap(bus_map, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

TEST(beyond_the_end_is_a_bus_error) {
  int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 4096));
  bus_map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  OK(ftruncate(fd, 0));
  signal(SIGBUS, on_bus);
  volatile char byte = *(volatile char*)bus_map;
  (void)byte;
  CHECK_EQ(bus_errors, 1);
}

TEST(memory_calls_pass) {
  char* map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(map != MAP_FAILED);
  memset(map, 1, 1 << 20);
  map = mremap(map, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
  REQUIRE(map != MAP_FAILED);
  CHECK_EQ(map[(1 << 20) - 1], 1);
  OK(madvise(map, 4096, MADV_DONTNEED));
  CHECK_EQ(map[0], 0);
  unsigned char residency[512];
  OK(mincore(map, 2 << 20, residency));
  OK(mprotect(map, 4096, PROT_NONE));
  OK(munmap(map, 2 << 20));
  void* before = sbrk(0);
  CHECK(sbrk(4096) == before);
}
