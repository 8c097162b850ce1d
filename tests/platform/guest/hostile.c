// What a program may try against the engine; prints what it gets, which must be plain errors.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char** arguments;

static void* exec_again(void* unused) {
  (void)unused;
  char* argv[] = {arguments[0], "again", NULL};
  execv(arguments[0], argv);
  return NULL;
}

// execve with a stack pointer that leads nowhere.
static long exec_without_stack(const char* path, char** argv) {
  long result;
  __asm__ volatile(
      "mov %%rsp, %%r12\n mov $4096, %%rsp\n syscall\n mov %%r12, %%rsp"
      : "=a"(result)
      : "a"(SYS_execve), "D"(path), "S"(argv), "d"(NULL)
      : "rcx", "r11", "r12", "memory");
  return result;
}

static void trace_getpid(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 7),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("%s\n", argv[1]);
    return 0;
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  arguments = argv;
  static char plan[128 * 1024];
  long forged = syscall(SYS_execve, plan, 0, plan, sizeof plan, 0, 0x9d3c71e5b84a206f);
  printf("forged %ld %s\n", forged, strerrorname_np(errno));
  char* words[] = {argv[0], "x", NULL};
  printf("stackless %ld\n", exec_without_stack(argv[0], words));
  long foreign;
  __asm__ volatile("int $0x80" : "=a"(foreign) : "a"(20) : "memory");
  printf("int80 %ld\n", foreign);
  pid_t child = fork();
  if (child == 0) {
    trace_getpid();
    long traced = syscall(SYS_getpgid, 0);
    printf("traced %ld %s\n", traced, strerrorname_np(errno));
    char* again[] = {argv[0], "filtered exec", NULL};
    execv(argv[0], again);
    _exit(1);
  }
  waitpid(child, NULL, 0);
  // Children that are killed at every stage of their start.
  for (int i = 0; i < 60; ++i) {
    child = fork();
    if (child == 0) {
      for (;;) {
        pid_t grandchild = vfork();
        if (grandchild == 0) _exit(0);
        waitpid(grandchild, NULL, 0);
      }
    }
    usleep(i * 20);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
  }
  pthread_t threads[6];
  for (int i = 0; i < 6; ++i) pthread_create(&threads[i], NULL, exec_again, NULL);
  pause();
  return 1;
}
