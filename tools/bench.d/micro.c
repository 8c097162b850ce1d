// Times single system calls from inside whatever runs it; `tools/bench` starts it natively and under every
// target.
//
//   micro list                                               names of all calls, one a line
//   micro calls DIR BATCHES BATCH_US NAME...                 a line "NAME VALUE" or "NAME - REASON" for each
//   micro time RUNS PROGRAM [ARGS...]                        "time NS": median of fork to reaped, for RUNS
//   runs micro idle SECONDS                                       prints "ready", then sleeps
//
// VALUE is nanoseconds for one call (median of BATCHES batches), except two-clients: throughput of two
// processes over one. DIR must hold `file` (1 MiB), `link` (a symlink to it) and be writable.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kBlock = 4096, kFileBlocks = 256, kMaxSamples = 1000 };

static char file_path[PATH_MAX], link_path[PATH_MAX], missing_path[PATH_MAX], scratch_path[PATH_MAX],
    new_path[PATH_MAX], other_path[PATH_MAX];
static char block[kBlock];
static int file_fd = -1, scratch_fd = -1, sockets[2] = {-1, -1};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Every case makes `count` calls and returns 0, or the errno of the first that did not do what it should.
#define REPEAT(condition)                              \
  do {                                                 \
    for (uint64_t i = 0; i < count; i++) {             \
      errno = 0;                                       \
      if (!(condition)) return errno ? errno : EPROTO; \
    }                                                  \
    return 0;                                          \
  } while (0)

static int call_getppid(uint64_t count) { REPEAT(getppid() >= 0); }

static int call_stat(uint64_t count) {
  struct stat s;
  REPEAT(stat(file_path, &s) == 0);
}

static int call_stat_missing(uint64_t count) {
  struct stat s;
  REPEAT(stat(missing_path, &s) == -1 && errno == ENOENT);
}

static int call_access(uint64_t count) { REPEAT(access(file_path, R_OK) == 0); }

static int call_readlink(uint64_t count) {
  char target[PATH_MAX];
  REPEAT(readlink(link_path, target, sizeof target) > 0);
}

static int call_fstat(uint64_t count) {
  struct stat s;
  REPEAT(fstat(file_fd, &s) == 0);
}

static int open_close(void) {
  int fd = open(file_path, O_RDONLY | O_CLOEXEC);
  return fd >= 0 && close(fd) == 0;
}
static int call_open_close(uint64_t count) { REPEAT(open_close()); }

// Sequential, and rewound to a non-zero offset: a sandbox may treat offset 0 as "refill a generated file".
static int next_block(ssize_t (*transfer)(void), uint64_t index, uint64_t blocks, int fd) {
  if (index % blocks == 0 && lseek(fd, kBlock, SEEK_SET) != kBlock) return 0;
  return transfer() == kBlock;
}
static ssize_t read_block(void) { return read(file_fd, block, kBlock); }
static ssize_t write_block(void) { return write(scratch_fd, block, kBlock); }
static int call_read(uint64_t count) { REPEAT(next_block(read_block, i, kFileBlocks - 1, file_fd)); }
static int call_write(uint64_t count) { REPEAT(next_block(write_block, i, kFileBlocks - 1, scratch_fd)); }

static int call_lseek(uint64_t count) { REPEAT(lseek(file_fd, kBlock, SEEK_SET) == kBlock); }

static int call_getcwd(uint64_t count) {
  char path[PATH_MAX];
  REPEAT(getcwd(path, sizeof path) != NULL);
}

static int read_meminfo(void) {
  int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[8192];
  ssize_t got = read(fd, text, sizeof text);
  return close(fd) == 0 && got > 0;
}
static int call_meminfo(uint64_t count) { REPEAT(read_meminfo()); }

static int list_etc(void) {
  DIR* directory = opendir("/etc");
  if (directory == NULL) return 0;
  int entries = 0;
  while (readdir(directory) != NULL) entries++;
  return closedir(directory) == 0 && entries > 2;
}
static int call_readdir(uint64_t count) { REPEAT(list_etc()); }

static int create_unlink(void) {
  int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return fd >= 0 && close(fd) == 0 && unlink(new_path) == 0;
}
static int call_create_unlink(uint64_t count) { REPEAT(create_unlink()); }

static int call_mkdir_rmdir(uint64_t count) { REPEAT(mkdir(new_path, 0700) == 0 && rmdir(new_path) == 0); }

static int call_rename(uint64_t count) {
  int fd = open(new_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || close(fd) != 0) return errno;
  for (uint64_t i = 0; i < count; i++) {
    if (rename(i % 2 ? other_path : new_path, i % 2 ? new_path : other_path) != 0) return errno;
  }
  return unlink(count % 2 ? other_path : new_path) == 0 ? 0 : errno;
}

static int map_unmap(void) {
  void* memory = mmap(NULL, 16 * kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && munmap(memory, 16 * kBlock) == 0;
}
static int call_mmap(uint64_t count) { REPEAT(map_unmap()); }

static int call_socket(uint64_t count) {
  char byte = 'x';
  REPEAT(send(sockets[0], &byte, 1, 0) == 1 && recv(sockets[1], &byte, 1, 0) == 1);
}

static void* thread_main(void* argument) { return argument; }
static int create_join(void) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, thread_main, NULL);
  return errno == 0 && pthread_join(thread, NULL) == 0;
}
static int call_thread(uint64_t count) { REPEAT(create_join()); }

static int reap(pid_t child) {
  int status;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int fork_wait(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  return reap(child);
}
static int call_fork(uint64_t count) { REPEAT(fork_wait()); }

static int fork_exec(void) {
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", (char*)NULL);
    _exit(127);
  }
  return reap(child);
}
static int call_fork_exec(uint64_t count) { REPEAT(fork_exec()); }

static const struct {
  const char* name;
  int (*call)(uint64_t count);
} kCalls[] = {
    {"getppid", call_getppid},
    {"stat", call_stat},
    {"stat-missing", call_stat_missing},
    {"access", call_access},
    {"readlink", call_readlink},
    {"fstat", call_fstat},
    {"open-close", call_open_close},
    {"read-4k", call_read},
    {"write-4k", call_write},
    {"lseek", call_lseek},
    {"getcwd", call_getcwd},
    {"meminfo", call_meminfo},
    {"readdir-etc", call_readdir},
    {"create-unlink", call_create_unlink},
    {"mkdir-rmdir", call_mkdir_rmdir},
    {"rename", call_rename},
    {"mmap-munmap", call_mmap},
    {"socket-byte", call_socket},
    {"thread", call_thread},
    {"fork-wait", call_fork},
    {"fork-exec", call_fork_exec},
};
enum { kCallCount = sizeof kCalls / sizeof kCalls[0] };

static int compare_doubles(const void* left, const void* right) {
  double a = *(const double*)left, b = *(const double*)right;
  return (a > b) - (a < b);
}

static double median(double* samples, int count) {
  qsort(samples, (size_t)count, sizeof *samples, compare_doubles);
  return count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

static int report(const char* name, int error, double value) {
  if (error != 0) {
    printf("%s - %s\n", name, strerror(error));
  } else {
    printf("%s %.3f\n", name, value);
  }
  fflush(stdout);  // a later case may kill the whole target: what was measured must be out by then
  return error;
}

// Finds how many calls fill a batch of `batch_ns`, then takes the median of `batches` such batches.
static void measure_call(const char* name, int (*call)(uint64_t), int batches, uint64_t batch_ns) {
  uint64_t count = 1, elapsed = 0;
  for (;;) {
    uint64_t start = now_ns();
    int error = call(count);
    elapsed = now_ns() - start;
    if (error != 0) {
      report(name, error, 0);
      return;
    }
    if (elapsed * 2 >= batch_ns || count > UINT64_MAX / 4) break;
    count *= 2;
  }
  if (elapsed < batch_ns && elapsed > 0) count = count * batch_ns / elapsed;
  double samples[kMaxSamples];
  for (int i = 0; i < batches; i++) {
    uint64_t start = now_ns();
    int error = call(count);
    samples[i] = (double)(now_ns() - start) / (double)count;
    if (error != 0) {
      report(name, error, 0);
      return;
    }
  }
  report(name, 0, median(samples, batches));
}

// Lets `clients` processes make `count` stat calls each, all at once; *elapsed_ns is from the start signal to
// the last exit.
static int run_clients(int clients, uint64_t count, uint64_t* elapsed_ns) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return errno;
  pid_t children[2];
  for (int i = 0; i < clients; i++) {
    children[i] = fork();
    if (children[i] < 0) return errno;
    if (children[i] == 0) {
      char byte;
      close(gate[1]);
      _exit(read(gate[0], &byte, 1) == 0 && call_stat(count) == 0 ? 0 : 1);
    }
  }
  usleep(2000);
  uint64_t start = now_ns();
  close(gate[0]);
  close(gate[1]);
  int all_reaped = 1;
  for (int i = 0; i < clients; i++) all_reaped &= reap(children[i]);
  *elapsed_ns = now_ns() - start;
  return all_reaped ? 0 : EPROTO;
}

static void measure_two_clients(int batches, uint64_t batch_ns) {
  // Longer batches than a single call's: two forks and two exits must not weigh.
  uint64_t count = 64, elapsed = 0, wanted_ns = batch_ns * 10;
  int error = 0;
  while ((error = run_clients(1, count, &elapsed)) == 0 && elapsed < wanted_ns / 2) count *= 2;
  double samples[kMaxSamples];
  for (int i = 0; error == 0 && i < batches; i++) {
    uint64_t one = 0, two = 0;
    error = run_clients(1, count, &one);
    if (error == 0) error = run_clients(2, count, &two);
    if (error == 0) samples[i] = 2.0 * (double)one / (double)two;
  }
  report("two-clients", error, error == 0 ? median(samples, batches) : 0);
}

static int join_path(char* out, const char* directory, const char* name) {
  return snprintf(out, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

static int open_fixtures(const char* directory) {
  char own_name[64];
  snprintf(own_name, sizeof own_name, "scratch.%d", (int)getpid());
  if (!join_path(file_path, directory, "file") || !join_path(link_path, directory, "link") ||
      !join_path(missing_path, directory, "missing") || !join_path(new_path, directory, "new") ||
      !join_path(other_path, directory, "other") || !join_path(scratch_path, directory, own_name)) {
    errno = ENAMETOOLONG;
    return 0;
  }
  file_fd = open(file_path, O_RDONLY | O_CLOEXEC);
  scratch_fd = open(scratch_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return file_fd >= 0 && scratch_fd >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0;
}

// Keeps busy until the scheduler has spread client and target over the CPUs as it does for any long-lived
// program: the first 100 ms of a ptrace target were seen to run on one CPU, three times faster than what
// follows.
static void settle(uint64_t duration_ns) {
  uint64_t start = now_ns();
  while (now_ns() - start < duration_ns && call_stat(16) == 0) {
  }
}

static int run_calls(int count, char** arguments) {
  const char* directory = arguments[0];
  int batches = atoi(arguments[1]);
  uint64_t batch_ns = strtoull(arguments[2], NULL, 10) * 1000;
  if (batches < 1 || batches > kMaxSamples) {
    fprintf(stderr, "micro: the number of batches must be 1 to %d\n", kMaxSamples);
    return 2;
  }
  if (!open_fixtures(directory)) {
    fprintf(stderr, "micro: cannot prepare %s: %s\n", directory, strerror(errno));
    return 1;
  }
  settle(batch_ns * 30);
  for (int i = 3; i < count; i++) {
    int known = strcmp(arguments[i], "two-clients") == 0;
    if (known) measure_two_clients(batches < 5 ? batches : 5, batch_ns);
    for (int j = 0; j < kCallCount; j++) {
      if (strcmp(arguments[i], kCalls[j].name) != 0) continue;
      known = 1;
      measure_call(kCalls[j].name, kCalls[j].call, batches, batch_ns);
    }
    if (!known) report(arguments[i], EINVAL, 0);
  }
  unlink(scratch_path);
  return 0;
}

// Runs the program with its output thrown away; *elapsed_ns is from fork to reaped.
static int run_program(char** arguments, int null_fd, uint64_t* elapsed_ns) {
  uint64_t start = now_ns();
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    execvp(arguments[0], arguments);
    fprintf(stderr, "cannot execute %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  *elapsed_ns = now_ns() - start;
  return status;
}

static int time_program(int runs, char** arguments) {
  double samples[kMaxSamples];
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0 || runs < 1 || runs > kMaxSamples) {
    fprintf(stderr, "micro: cannot open /dev/null, or not 1 to %d runs\n", kMaxSamples);
    return 2;
  }
  for (int i = 0; i < runs; i++) {
    uint64_t elapsed_ns = 0;
    int status = run_program(arguments, null_fd, &elapsed_ns);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      printf("time - %s %d\n", WIFSIGNALED(status) ? "ended by signal" : "exit status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
      return 1;
    }
    samples[i] = (double)elapsed_ns;
  }
  return report("time", 0, median(samples, runs));
}

int main(int argc, char** argv) {
  const char* verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "list") == 0) {
    for (int i = 0; i < kCallCount; i++) puts(kCalls[i].name);
    puts("two-clients");
    return 0;
  }
  if (strcmp(verb, "calls") == 0 && argc > 5) return run_calls(argc - 2, argv + 2);
  if (strcmp(verb, "time") == 0 && argc > 3) return time_program(atoi(argv[2]), argv + 3);
  if (strcmp(verb, "idle") == 0 && argc == 3) {
    puts("ready");
    fflush(stdout);
    sleep((unsigned)atoi(argv[2]));
    return 0;
  }
  fputs(
      "usage: micro list | calls DIR BATCHES BATCH_US NAME... | time RUNS PROGRAM [ARGS...] | idle SECONDS\n",
      stderr);
  return 2;
}
