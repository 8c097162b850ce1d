// Another thread changes what a path means while a call is on its way: what was checked is what is used.
#include "../guest/guest.h"
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { kRounds = 3000 };
static volatile int stop;
static char shared_path[64];

// Files that nobody but root may read, and their harmless twins. The caller is somebody else afterwards.
static void prepare(void) {
  NEEDS_ROOT();
  guest_write_file("open1", "harmless");
  guest_write_file("lock1", "SECRET");
  MUST(chmod("lock1", 0600));
  MUST(mkdir("opendir", 0777));
  MUST(chmod("opendir", 0777));
  MUST(mkdir("lockdir", 0700));
  guest_write_file("opendir/f", "harmless");
  guest_write_file("lockdir/f", "SECRET");
  guest_become(65534);
}

static void* flip_bytes(void* argument) {
  (void)argument;
  while (!stop) {
    memcpy(shared_path, "lock1", 5);
    memcpy(shared_path, "open1", 5);
  }
  return NULL;
}

static int is_secret(int fd) {
  char text[16] = {0};
  ssize_t got = pread(fd, text, 15, 0);
  return got > 0 && strncmp(text, "SECRET", 6) == 0;
}

TEST(path_rewritten_during_open) {
  prepare();
  strcpy(shared_path, "open1");
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, flip_bytes, NULL) == 0);
  int opened = 0, refused = 0, leaked = 0, odd = 0;
  for (int i = 0; i < kRounds; ++i) {
    int fd = i % 2 ? open(shared_path, O_RDONLY) : openat(AT_FDCWD, shared_path, O_RDWR | O_CREAT, 0600);
    if (fd < 0) {
      refused++;
      odd += errno != EACCES && errno != ENOENT;
      continue;
    }
    opened++;
    leaked += is_secret(fd);
    close(fd);
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(leaked, 0);
  CHECK_EQ(odd, 0);
  CHECK(opened + refused == kRounds);
}

TEST(path_rewritten_during_exec) {
  prepare();
  // The loser of the race may at most get an error; never another program than was checked.
  guest_write_file("opendir/open1", "#!/bin/sh\nexit 0\n");
  guest_write_file("opendir/lock1", "#!/bin/sh\nexit 66\n");
  OK(chmod("opendir/open1", 0755));
  OK(chmod("opendir/lock1", 0644));
  OK(chdir("opendir"));
  strcpy(shared_path, "./open1");
  int bad = 0;
  for (int i = 0; i < 40; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      pthread_t thread;
      void* flip(void* argument) {
        for (;;) {
          memcpy(shared_path, "./lock1", 7);
          memcpy(shared_path, "./open1", 7);
        }
        return argument;
      }
      pthread_create(&thread, NULL, flip, NULL);
      char* arguments[] = {"x", NULL};
      execve(shared_path, arguments, NULL);
      _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    bad += WIFEXITED(status) && WEXITSTATUS(status) == 66;
  }
  CHECK_EQ(bad, 0);
}

static void* flip_names(void* argument) {
  (void)argument;
  while (!stop) {
    unlink("swap");
    if (symlink("opendir", "swap") != 0) continue;
    unlink("swap");
    if (symlink("lockdir", "swap") != 0) continue;
  }
  return NULL;
}

TEST(links_swapped_during_the_walk) {
  NEEDS_ROOT();
  MUST(chmod(".", 0777));
  prepare();
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, flip_names, NULL) == 0);
  int leaked = 0;
  for (int i = 0; i < kRounds; ++i) {
    int fd = open("swap/f", O_RDONLY);
    if (fd >= 0) {
      leaked += is_secret(fd);
      close(fd);
    }
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(leaked, 0);
}

static void* move_around(void* argument) {
  (void)argument;
  while (!stop) {
    rename("jail/deep/d", "d");
    rename("d", "jail/deep/d");
  }
  return NULL;
}

TEST(dotdot_beneath_a_moving_directory) {
  OK(mkdir("jail", 0755));
  OK(mkdir("jail/deep", 0755));
  OK(mkdir("jail/deep/d", 0755));
  guest_write_file("outside", "SECRET");
  guest_write_file("jail/inside", "fine");
  int jail = MUST(open("jail", O_PATH));
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, move_around, NULL) == 0);
  int leaked = 0, odd = 0;
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH}, in_root = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
  for (int i = 0; i < kRounds; ++i) {
    const char* path = i % 3 == 0 ? "deep/d/../../outside" : i % 3 == 1 ? "deep/d/../../../outside" : "deep/d/../outside";
    int fd = syscall(SYS_openat2, jail, path, i % 2 ? &how : &in_root, sizeof how);
    if (fd >= 0) {
      leaked += is_secret(fd);
      close(fd);
    } else {
      odd += errno != ENOENT && errno != EXDEV && errno != EAGAIN;
    }
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(leaked, 0);
  CHECK_EQ(odd, 0);
}

static struct sockaddr_un shared_address;
static void* flip_address(void* argument) {
  (void)argument;
  while (!stop) {
    memcpy(shared_address.sun_path, "locked/s", 8);
    memcpy(shared_address.sun_path, "opened/s", 8);
    shared_address.sun_family = AF_INET;
    shared_address.sun_family = AF_UNIX;
  }
  return NULL;
}

TEST(addresses_rewritten_during_connect) {
  NEEDS_ROOT();
  const char* dirs[] = {"locked", "opened"};
  for (int i = 0; i < 2; ++i) {
    MUST(mkdir(dirs[i], i == 0 ? 0700 : 0777));
    int server = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    struct sockaddr_un address = {AF_UNIX, {0}};
    sprintf(address.sun_path, "%s/s", dirs[i]);
    umask(0);
    MUST(bind(server, (struct sockaddr*)&address, sizeof address));
    MUST(listen(server, 4096));
  }
  guest_become(65534);
  shared_address.sun_family = AF_UNIX;
  strcpy(shared_address.sun_path, "opened/s");
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, flip_address, NULL) == 0);
  int leaked = 0;
  for (int i = 0; i < 500; ++i) {
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(client, (struct sockaddr*)&shared_address, sizeof shared_address) == 0) {
      struct sockaddr_un peer = {0};
      socklen_t length = sizeof peer;
      getpeername(client, (struct sockaddr*)&peer, &length);
      leaked += strncmp(peer.sun_path, "locked", 6) == 0;
    }
    close(client);
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(leaked, 0);
}

static void* flip_descriptor(void* argument) {
  int* fds = argument;
  while (!stop) {
    dup2(fds[0], 70);
    dup2(fds[1], 70);
  }
  return NULL;
}

TEST(descriptors_swapped_during_the_call) {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  guest_write_file("a/f", "from a");
  guest_write_file("b/f", "from b");
  int fds[2] = {MUST(open("a", O_RDONLY | O_DIRECTORY)), MUST(open("b/f", O_RDWR))};
  MUST(dup2(fds[0], 70));
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, flip_descriptor, fds) == 0);
  int odd = 0;
  for (int i = 0; i < kRounds; ++i) {
    int fd = openat(70, "f", O_RDONLY);
    char text[8] = {0};
    if (fd >= 0) {
      odd += read(fd, text, 6) != 6 || strcmp(text, "from a") != 0;
      close(fd);
    } else {
      odd += errno != ENOTDIR && errno != EBADF;
    }
    struct stat st;
    odd += fstat(70, &st) != 0 && errno != EBADF;
    char buffer[512];
    long got = syscall(SYS_getdents64, 70, buffer, sizeof buffer);
    odd += got < 0 && errno != ENOTDIR && errno != EBADF;
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(odd, 0);
}

static void* unmap_around(void* argument) {
  while (!stop) {
    munmap(argument, 4096);
    if (mmap(argument, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) strcpy(argument, "open1");
  }
  return NULL;
}

TEST(memory_unmapped_during_the_call) {
  guest_write_file("open1", "harmless");
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  strcpy(page, "open1");
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, unmap_around, page) == 0);
  int odd = 0;
  for (int i = 0; i < kRounds; ++i) {
    struct stat st;
    if (stat(page, &st) != 0) odd += errno != EFAULT && errno != ENOENT;
    if (stat("open1", (struct stat*)(page + 64)) != 0) odd += errno != EFAULT;
    int fd = open(page, O_RDONLY);
    if (fd >= 0) close(fd);
    else odd += errno != EFAULT && errno != ENOENT;
  }
  stop = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(odd, 0);
}

TEST(killed_in_the_middle_of_any_call) {
  for (int i = 0; i < 40; ++i) {
    pid_t child = guest_fork();
    if (child == 0) {
      setpgid(0, 0);
      for (int j = 0; j < 2; ++j) fork();
      char name[32];
      for (;;) {
        snprintf(name, sizeof name, "k%d", getpid() % 7);
        int fd = open(name, O_CREAT | O_RDWR, 0644);
        struct stat st;
        stat(name, &st);
        rename(name, "moved");
        close(fd);
        unlink("moved");
        if (vfork() == 0) {
          execl("/bin/true", "true", NULL);
          _exit(1);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
      }
    }
    usleep(2000 + i * 700);
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
    int status;
    OK(waitpid(child, &status, 0));
    CHECK(WIFSIGNALED(status));
  }
  struct stat st;
  OK(stat("/etc/passwd", &st));
}
