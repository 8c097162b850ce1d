// fork, vfork and posix_spawn, several at once; prints how many children ended wrongly.
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;
static char* self;

static int ended_with(pid_t child, int wanted) {
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == wanted;
}

static void* work(void* argument) {
  long wrong = 0;
  (void)argument;
  for (int i = 0; i < 40; ++i) {
    pid_t child = fork();
    if (child == 0) _exit(access("/etc/passwd", R_OK) == 0 ? 3 : 4);
    if (!ended_with(child, 3)) ++wrong;
    char* argv[] = {self, "5", NULL};
    if (posix_spawn(&child, self, NULL, NULL, argv, environ) != 0 || !ended_with(child, 5)) ++wrong;
    child = vfork();
    if (child == 0) {
      execv("/does/not/exist", argv);
      _exit(6);
    }
    if (!ended_with(child, 6)) ++wrong;
    // A child whose own child outlives it.
    child = fork();
    if (child == 0) {
      if (fork() == 0) access("/etc/passwd", R_OK);
      _exit(7);
    }
    if (!ended_with(child, 7)) ++wrong;
  }
  return (void*)wrong;
}

int main(int argc, char** argv) {
  if (argc > 1) return atoi(argv[1]);
  self = argv[0];
  pthread_t threads[4];
  long sum = 0;
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; ++i) {
    void* wrong;
    pthread_join(threads[i], &wrong);
    sum += (long)wrong;
  }
  printf("wrong %ld\n", sum);
  return sum != 0;
}
