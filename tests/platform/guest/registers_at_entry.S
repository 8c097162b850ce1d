// A static program that checks what a fresh exec owes it: cleared registers, an aligned stack with argc and auxv.
  .globl _start
_start:
  mov %rsp, %r9
  or %rdx, %rax
  or %rbx, %rax
  or %rcx, %rax
  or %rsi, %rax
  or %rdi, %rax
  or %rbp, %rax
  or %r8, %rax
  or %r10, %rax
  or %r11, %rax
  or %r12, %rax
  or %r13, %rax
  or %r14, %rax
  or %r15, %rax
  test %rax, %rax
  jnz 1f
  test $15, %r9
  jnz 2f
  mov $60, %eax
  xor %edi, %edi
  syscall
1: mov $60, %eax
  mov $11, %edi
  syscall
2: mov $60, %eax
  mov $12, %edi
  syscall
  .section .note.GNU-stack, "", @progbits
