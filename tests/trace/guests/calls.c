// Makes a few calls whose lines in a trace are known, or as many of one kind as are asked for.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void known(void) {
  int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  char bytes[8];
  if (read(fd, bytes, 4) != 4) _exit(1);
  close(fd);
  open("/no/such/file", O_RDWR);
  syscall(SYS_open_by_handle_at, -1, 0, 0);
  close(-1);
  syscall(999, 1, 2, 3);
}

// As 32-bit programs call: getpid is number 20 of their table.
static void foreign(void) {
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  if (result != getpid()) _exit(3);
}

static void killed(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  usleep(100000);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void* count(void* rounds) {
  for (intptr_t i = 0; i < (intptr_t)rounds; ++i) syscall(SYS_getppid);
  return NULL;
}

static void threads(int number, intptr_t rounds) {
  pthread_t* ids = calloc(number, sizeof *ids);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (int i = 0; i < number; ++i)
    if (pthread_create(&ids[i], &small, count, (void*)rounds) != 0) _exit(2);
  for (int i = 0; i < number; ++i) pthread_join(ids[i], NULL);
}

// A path without an end before the mapping's, a length that no memory has, the kernel's own addresses.
static void hostile(void) {
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  memset(page, 'x', 4096);
  syscall(SYS_open, page + 4090, O_RDONLY);
  syscall(SYS_write, -1, page + 4000, (size_t)1 << 62);
  syscall(SYS_write, -1, (void*)0xffffffff81000000, 100);
  syscall(SYS_writev, -1, page + 4088, (size_t)1 << 40);
  syscall(SYS_poll, (void*)0xffff888000000000, 0xffffffff, 0);
  syscall(SYS_open, "/tmp/\033[31mred\007\n", O_RDONLY);
}

static void* exec_from_thread(void* path) {
  execl(path, path, "known", (char*)NULL);
  return NULL;
}

// Under a filter that refuses getppid with the error 77.
static void filtered(void) {
  struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(4);
  syscall(SYS_getppid);
  syscall(SYS_getuid);
  if (fork() == 0) {
    syscall(SYS_getppid);
    _exit(0);
  }
  wait(NULL);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "known";
  if (strcmp(what, "known") == 0) known();
  if (strcmp(what, "foreign") == 0) foreign();
  if (strcmp(what, "killed") == 0) killed();
  if (strcmp(what, "filtered") == 0) filtered();
  if (strcmp(what, "count") == 0) count((void*)(intptr_t)atoi(argv[2]));
  if (strcmp(what, "threads") == 0) threads(atoi(argv[2]), atoi(argv[3]));
  if (strcmp(what, "hostile") == 0) hostile();
  if (strcmp(what, "crash") == 0) *(volatile int*)16 = 1;
  if (strcmp(what, "wait") == 0) pause();
  if (strcmp(what, "exec") == 0) {
    pthread_t id;
    pthread_create(&id, NULL, exec_from_thread, argv[0]);
    pause();
  }
  if (strcmp(what, "again") == 0 && atoi(argv[2]) > 0) {
    char left[16];
    snprintf(left, sizeof left, "%d", atoi(argv[2]) - 1);
    execl(argv[0], argv[0], "again", left, (char*)NULL);
  }
  return 0;
}
