// Eight threads call stat and open as fast as they can; prints the number of wrong answers.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int wrong[8];

static void* work(void* argument) {
  int* mine = argument;
  struct stat info;
  for (int i = 0; i < 500; ++i) {
    if (stat("/etc/passwd", &info) != 0 || !S_ISREG(info.st_mode)) ++*mine;
    if (stat("/does/not/exist", &info) != -1) ++*mine;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    char byte;
    if (fd < 0 || read(fd, &byte, 1) != 1) ++*mine;
    close(fd);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[8];
  int sum = 0;
  for (int i = 0; i < 8; ++i) pthread_create(&threads[i], NULL, work, &wrong[i]);
  for (int i = 0; i < 8; ++i) {
    pthread_join(threads[i], NULL);
    sum += wrong[i];
  }
  printf("wrong %d\n", sum);
  return sum != 0;
}
