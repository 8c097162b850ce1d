// A thread that is not the leader executes this program again, which prints its arguments.
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static char** arguments;

static void* spin(void* unused) {
  (void)unused;
  for (;;) access("/etc/passwd", R_OK);
  return NULL;
}

static void* run(void* unused) {
  (void)unused;
  char* argv[] = {arguments[0], "again", NULL};
  execv(arguments[0], argv);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("%s tid-is-pid %d\n", argv[1], getpid() == (int)syscall(SYS_gettid));
    return access("/etc/passwd", R_OK);
  }
  arguments = argv;
  pthread_t thread;
  for (int i = 0; i < 4; ++i) pthread_create(&thread, NULL, spin, NULL);
  pthread_create(&thread, NULL, run, NULL);
  pthread_join(thread, NULL);
  return 1;
}
