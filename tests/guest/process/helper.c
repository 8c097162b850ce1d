// A small program for the exec guest: prints its arguments, environment and whether TLS, bss and constructors work.
#include <stdio.h>

extern char** environ;
static __thread int tls = 7;
static int bss[10000];
static int constructed;

__attribute__((constructor)) static void construct(void) { constructed = 1; }

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) printf("%s ", argv[i]);
  printf("%s tls=%d bss=%d ctor=%d\n", environ[0] == NULL ? "none" : environ[0], tls, bss[argc], constructed);
  return 0;
}
