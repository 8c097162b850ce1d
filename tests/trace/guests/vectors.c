// Reads and writes vectors in part, and says what came and whether the registers of each call were left alone:
// `vectors FILE`, which holds the digits over and over.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// Its compiler may rely on what the kernel promises: a call changes rax, rcx and r11 only.
static long call(long number, long fd, struct iovec* vector, long count, int* is_kept) {
  struct iovec* vector_after = vector;
  long count_after = count, result;
  register long offset __asm__("r10") = 0;
  register long high __asm__("r8") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result), "+S"(vector_after), "+d"(count_after)
                   : "0"(number), "D"(fd), "r"(offset), "r"(high)
                   : "rcx", "r11", "memory");
  *is_kept = vector_after == vector && count_after == count;
  return result;
}

static void read_by(const char* name, long number, int fd) {
  char first[11] = "", second[11] = "", third[11] = "";
  struct iovec vector[] = {{first, 10}, {second, 10}, {third, 10}};
  int is_kept;
  long result = call(number, fd, vector, 3, &is_kept);
  printf("%s %ld %s-%s-%s %d\n", name, result, first, second, third, is_kept);
}

int main(int argc, char** argv) {
  int fd = open(argv[argc - 1], O_RDONLY);
  read_by("readv", SYS_readv, fd);
  lseek(fd, 0, SEEK_SET);
  read_by("readv", SYS_readv, fd);
  read_by("preadv", SYS_preadv, fd);
  fflush(stdout);
  struct iovec words[] = {{"one ", 4}, {"two ", 4}, {"three\n", 6}};
  int is_kept;
  long result = call(SYS_writev, 1, words, 3, &is_kept);
  printf("\nwritev %ld %d\n", result, is_kept);
  return 0;
}
