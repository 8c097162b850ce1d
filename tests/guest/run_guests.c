// Runs several guests one after the other, so that one sandbox serves them all: run_guests DIRECTORY GUEST[:TEST,TEST...]...
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMaximumTests = 128 };

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s DIRECTORY GUEST[:TEST,TEST...]...\n", argv[0]);
    return 2;
  }
  int failed = 0;
  for (int i = 2; i < argc; ++i) {
    char* arguments[kMaximumTests + 3] = {argv[i], argv[1]};
    int count = 2;
    char* tests = strchr(argv[i], ':');
    if (tests != NULL) {
      *tests++ = 0;
      for (char* test = strtok(tests, ","); test != NULL && count < kMaximumTests + 2; test = strtok(NULL, ","))
        arguments[count++] = test;
    }
    pid_t child = fork();
    if (child == 0) {
      execv(arguments[0], arguments);
      perror(arguments[0]);
      _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
      perror("fork or waitpid");
      return 1;
    }
    const char* slash = strrchr(argv[i], '/');
    if (WIFSIGNALED(status)) printf("died %s %d\n", slash == NULL ? argv[i] : slash + 1, WTERMSIG(status));
    fflush(stdout);
    failed |= !WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 77);
  }
  return failed;
}
