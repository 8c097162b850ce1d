// What programs do with their machine's numbers, timed from inside: `tools/bench-resource-view` runs it
// everywhere.
//
//   requests meminfo N   open, read to the end, close of /proc/meminfo, N times    "meminfo NS": of all N
//   requests reread N    lseek to 0 and read to the end on one open descriptor
//   requests sysinfo N   sysinfo(2)
//   requests totals      "totals MEMINFO_KIB SYSINFO_KIB": the machine's memory in both
//   requests print       /proc/meminfo by read(2), once: the program of table 4
//   requests time RUNS NAME PROGRAM [ARGS...]   "NAME NS": median of fork to reaped, its output dropped
//   requests fetch PORT N                       N HTTP requests to 127.0.0.1; fails unless all give 200
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxRuns = 1000 };
static const char kPath[] = "/proc/meminfo";
static char text[65536];

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char* doing) {
  fprintf(stderr, "requests: cannot %s: %s\n", doing, strerror(errno));
  exit(1);
}

// Reads to the end; the number of bytes.
static size_t read_all(int fd) {
  size_t have = 0;
  ssize_t got;
  while ((got = read(fd, text + have, sizeof text - 1 - have)) > 0) have += (size_t)got;
  if (got < 0 || have == 0) fail("read /proc/meminfo");
  text[have] = 0;
  return have;
}

static void request_meminfo(void) {
  int fd = open(kPath, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open /proc/meminfo");
  read_all(fd);
  close(fd);
}

static int kept_open = -1;
static void request_reread(void) {
  if (kept_open < 0) kept_open = open(kPath, O_RDONLY | O_CLOEXEC);
  if (kept_open < 0 || lseek(kept_open, 0, SEEK_SET) != 0) fail("rewind /proc/meminfo");
  read_all(kept_open);
}

static void request_sysinfo(void) {
  struct sysinfo info;
  if (sysinfo(&info) != 0) fail("call sysinfo");
}

static int time_requests(const char* name, void (*request)(void), const char* count_text) {
  uint64_t count = strtoull(count_text, NULL, 10);
  for (uint64_t i = 0; i < count / 10 + 1 && i < 2000; ++i) request();
  uint64_t begin = now_ns();
  for (uint64_t i = 0; i < count; ++i) request();
  printf("%s %llu\n", name, (unsigned long long)(now_ns() - begin));
  return 0;
}

static int print_totals(void) {
  struct sysinfo info;
  if (sysinfo(&info) != 0) fail("call sysinfo");
  request_meminfo();
  const char* line = strstr(text, "MemTotal:");
  unsigned long long kib = line ? strtoull(line + strlen("MemTotal:"), NULL, 10) : 0;
  printf("totals %llu %llu\n", kib, (unsigned long long)info.totalram * info.mem_unit / 1024);
  return 0;
}

static int print_file(void) {
  int fd = open(kPath, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open /proc/meminfo");
  return write(STDOUT_FILENO, text, read_all(fd)) < 0;
}

static int compare(const void* a, const void* b) {
  uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return (x > y) - (x < y);
}

static int time_program(const char* runs_text, const char* name, char** argv) {
  static uint64_t samples[kMaxRuns];
  size_t runs = strtoul(runs_text, NULL, 10);
  if (runs == 0 || runs > kMaxRuns) return 2;
  for (size_t i = 0; i < runs; ++i) {
    uint64_t begin = now_ns();
    pid_t child = fork();
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, STDOUT_FILENO);
      execvp(argv[0], argv);
      _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) fail("start the program");
    if (status != 0) {
      fprintf(stderr, "requests: %s ended with status %d\n", argv[0], status);
      return 1;
    }
    samples[i] = now_ns() - begin;
  }
  qsort(samples, runs, sizeof *samples, compare);
  printf("%s %llu\n", name, (unsigned long long)samples[runs / 2]);
  return 0;
}

static int fetch(int port, int count) {
  static const char kRequest[] = "GET / HTTP/1.0\r\n\r\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[64] = "";
    if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) fail("connect to the server");
    if (write(fd, kRequest, sizeof kRequest - 1) < 0 || read(fd, answer, sizeof answer - 1) <= 0) fail("ask the server");
    if (strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 200", 4) != 0) {
      fprintf(stderr, "requests: the server answers %.30s\n", answer);
      return 1;
    }
    close(fd);
  }
  return 0;
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "meminfo") == 0 && argc == 3) return time_requests(mode, request_meminfo, argv[2]);
  if (strcmp(mode, "reread") == 0 && argc == 3) return time_requests(mode, request_reread, argv[2]);
  if (strcmp(mode, "sysinfo") == 0 && argc == 3) return time_requests(mode, request_sysinfo, argv[2]);
  if (strcmp(mode, "totals") == 0) return print_totals();
  if (strcmp(mode, "print") == 0) return print_file();
  if (strcmp(mode, "time") == 0 && argc > 4) return time_program(argv[2], argv[3], argv + 4);
  if (strcmp(mode, "fetch") == 0 && argc == 4) return fetch(atoi(argv[2]), atoi(argv[3]));
  fputs("usage: see the head of requests.c\n", stderr);
  return 2;
}
