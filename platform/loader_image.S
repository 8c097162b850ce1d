// The loader's executable file, byte for byte.
  .section .rodata
  .globl sandbox_loader_begin
  .globl sandbox_loader_end
  .balign 16
sandbox_loader_begin:
  .incbin SANDBOX_LOADER_FILE
sandbox_loader_end:
  .section .note.GNU-stack, "", @progbits
