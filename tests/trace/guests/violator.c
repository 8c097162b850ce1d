// Makes calls that a seccomp profile is about, at a place whose stack is known: `violator`, `violator THREADS`.
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) static void inner(void) {
  char target[64];
  // Two that a sentry answers, one that it does not.
  sink = mkdir("/tmp/made", 0755);
  sink = (int)readlink("/proc/self/exe", target, sizeof target);
  sink = getppid();
}

__attribute__((noinline)) static void* outer(void* times) {
  for (int i = 0; i < (int)(long)times; ++i) inner();
  sink = 1;
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t threads[16];
  int count = argc > 1 ? atoi(argv[1]) : 0;
  for (int i = 0; i < count; ++i) pthread_create(&threads[i], NULL, outer, (void*)20);
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  if (count == 0) outer((void*)1);
  return 0;
}
