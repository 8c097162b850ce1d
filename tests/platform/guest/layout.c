// Prints whether the program's memory is as Linux lays it out: heap above the program, auxv that agrees with it.
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char __executable_start, _end, _start;
static char zeroed[100000];
static __thread int thread_value = 42;

int main(int argc, char** argv) {
  char name[16];
  prctl(PR_GET_NAME, name);
  char* heap = sbrk(0);
  int zeros = 1;
  for (size_t i = 0; i < sizeof zeroed; ++i) zeros &= zeroed[i] == 0;
  memset(zeroed, 1, sizeof zeroed);
  char* block = malloc(200000);
  memset(block, 1, 200000);
  printf("phdr %d entry %d zeros %d tls %d heap-above %d args %d execfn %s comm %s\n",
         getauxval(AT_PHDR) == (unsigned long)&__executable_start + ((Elf64_Ehdr*)&__executable_start)->e_phoff,
         getauxval(AT_ENTRY) == (unsigned long)&_start, zeros, thread_value, heap >= &_end,
         argc, (char*)getauxval(AT_EXECFN) ? strrchr((char*)getauxval(AT_EXECFN), '/') : "none", name);
  (void)argv;
  return 0;
}
