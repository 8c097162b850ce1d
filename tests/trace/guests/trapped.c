// Says which call the SIGSYS was for that a seccomp profile sent: `trapped munmap`, `trapped mkdir`.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void handle(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  char text[64];
  int length = snprintf(text, sizeof text, "SIGSYS code %d call %d\n", info->si_code, info->si_syscall);
  if (write(1, text, length) != length) _exit(1);
  _exit(0);
}

int main(int argc, char** argv) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  if (argc > 1 && strcmp(argv[1], "munmap") == 0) {
    void* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // The dynamic linker's own calls are over; those with this length are ours.
    munmap(page, 4096);
  } else {
    syscall(SYS_mkdir, "/tmp/made", 0777);
  }
  puts("no signal");
  return 0;
}
