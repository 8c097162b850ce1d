// Several threads and processes use the file system at once.
#include "../guest.h"
#include <dirent.h>

enum { kThreads = 8, kRounds = 300 };
static int thread_failures;

static void* stat_loop(void* argument) {
  struct stat st;
  for (int i = 0; i < kRounds; ++i) {
    if (stat(argument, &st) != 0 || !S_ISREG(st.st_mode)) __sync_fetch_and_add(&thread_failures, 1);
    if (stat("missing", &st) == 0) __sync_fetch_and_add(&thread_failures, 1);
  }
  return NULL;
}

TEST(stats_together) {
  guest_write_file("f", "x");
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) REQUIRE(pthread_create(&threads[i], NULL, stat_loop, "f") == 0);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  CHECK_EQ(thread_failures, 0);
}

static void* create_loop(void* argument) {
  long id = (long)argument;
  char name[64], other[64], text[64];
  for (int i = 0; i < 60; ++i) {
    snprintf(name, sizeof name, "t%ld-%d", id, i);
    snprintf(other, sizeof other, "t%ld-%d.renamed", id, i);
    int fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, name, strlen(name)) != (ssize_t)strlen(name)) __sync_fetch_and_add(&thread_failures, 1);
    close(fd);
    if (rename(name, other) != 0) __sync_fetch_and_add(&thread_failures, 1);
    fd = open(other, O_RDONLY | O_CLOEXEC);
    memset(text, 0, sizeof text);
    if (fd < 0 || read(fd, text, sizeof text) <= 0 || strcmp(text, name) != 0) __sync_fetch_and_add(&thread_failures, 1);
    close(fd);
    if (i % 2 == 0 && unlink(other) != 0) __sync_fetch_and_add(&thread_failures, 1);
  }
  return NULL;
}

TEST(creates_renames_unlinks_together) {
  pthread_t threads[4];
  for (long i = 0; i < 4; ++i) REQUIRE(pthread_create(&threads[i], NULL, create_loop, (void*)i) == 0);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  CHECK_EQ(thread_failures, 0);
  DIR* dir = opendir(".");
  int count = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] == 't';
  CHECK_EQ(count, 4 * 30);
}

static void* exclusive_loop(void* argument) {
  long wins = 0;
  (void)argument;
  char name[32];
  for (int i = 0; i < 50; ++i) {
    snprintf(name, sizeof name, "x%d", i);
    int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0) {
      wins++;
      close(fd);
    } else if (errno != EEXIST) {
      __sync_fetch_and_add(&thread_failures, 1);
    }
  }
  return (void*)wins;
}

TEST(exclusive_creation_has_one_winner) {
  pthread_t threads[4];
  long total = 0;
  for (int i = 0; i < 4; ++i) REQUIRE(pthread_create(&threads[i], NULL, exclusive_loop, NULL) == 0);
  for (int i = 0; i < 4; ++i) {
    void* wins;
    pthread_join(threads[i], &wins);
    total += (long)wins;
  }
  CHECK_EQ(total, 50);
  CHECK_EQ(thread_failures, 0);
}

TEST(mkdir_race_between_processes) {
  int pair[2];
  MUST(pipe(pair));
  for (int p = 0; p < 4; ++p) {
    if (guest_fork() == 0) {
      unsigned char wins = 0;
      char name[32];
      for (int i = 0; i < 50; ++i) {
        snprintf(name, sizeof name, "d%d", i);
        wins += mkdir(name, 0755) == 0;
      }
      _exit(write(pair[1], &wins, 1) == 1 ? 0 : 1);
    }
  }
  int total = 0;
  for (int p = 0; p < 4; ++p) {
    unsigned char wins;
    CHECK_EQ(read(pair[0], &wins, 1), 1);
    total += wins;
    wait(NULL);
  }
  CHECK_EQ(total, 50);
}

static volatile int stop_flag;
static void* rename_back_and_forth(void* argument) {
  (void)argument;
  while (!stop_flag) {
    rename("a", "b");
    rename("b", "a");
  }
  return NULL;
}

TEST(a_replaced_name_is_always_there) {
  guest_write_file("old", "old");
  guest_write_file("name", "first");
  pid_t child = guest_fork();
  if (child == 0) {
    for (;;) {
      guest_write_file("new", "next!");
      rename("new", "name");
    }
  }
  int missing = 0;
  for (int i = 0; i < 500; ++i) {
    int fd = open("name", O_RDONLY);
    if (fd < 0) {
      missing++;
      continue;
    }
    char text[8];
    if (read(fd, text, 8) != 5) missing++;
    close(fd);
  }
  CHECK_EQ(missing, 0);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

TEST(walks_race_with_renames) {
  OK(mkdir("a", 0755));
  guest_write_file("a/f", "x");
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, rename_back_and_forth, NULL) == 0);
  int wrong = 0;
  struct stat st;
  for (int i = 0; i < 500; ++i)
    if (stat("a/f", &st) != 0 && errno != ENOENT) wrong++;
  stop_flag = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(wrong, 0);
}

TEST(append_from_processes_loses_nothing) {
  guest_write_file("log", "");
  for (int p = 0; p < 4; ++p) {
    if (guest_fork() == 0) {
      int fd = open("log", O_WRONLY | O_APPEND);
      for (int i = 0; i < 100; ++i)
        if (write(fd, "0123456789\n", 11) != 11) _exit(1);
      _exit(0);
    }
  }
  for (int p = 0; p < 4; ++p) {
    int status;
    wait(&status);
    CHECK_EQ(status, 0);
  }
  struct stat st;
  OK(stat("log", &st));
  CHECK_EQ(st.st_size, 4400);
}
