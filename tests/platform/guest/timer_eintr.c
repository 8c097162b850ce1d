// Calls stat and open under a 2 kHz timer whose handler has no SA_RESTART: Linux never interrupts them.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int signals;
static void on_alarm(int number) {
  (void)number;
  ++signals;
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, NULL);
  struct itimerval period = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &period, NULL);
  int interrupted = 0, other = 0;
  for (int i = 0; i < 10000; ++i) {
    struct stat info;
    if (stat("/etc/passwd", &info) != 0) errno == EINTR ? ++interrupted : ++other;
    int fd = open("/etc/passwd", O_RDONLY);
    if (fd < 0) errno == EINTR ? ++interrupted : ++other;
    close(fd);
  }
  printf("interrupted %d other %d\n", interrupted, other);
  if (signals < 10) printf("only %d signals\n", signals);
  return interrupted + other != 0;
}
