// Runs code that lies on the stack, as its header asks to be able to; a plain program dies of it.
#include <stdio.h>
#include <string.h>

int main(void) {
  unsigned char code[16] = {0xb8, 42, 0, 0, 0, 0xc3};   // mov $42, %eax; ret
  int (*function)(void);
  void* address = code;
  memcpy(&function, &address, sizeof function);
  __asm__ volatile("" : : "r"(code) : "memory");   // the bytes are there before they run
  printf("stack code %d\n", function());
  return 0;
}
