// The executable files of the loader and of the built-in init, byte for byte.
  .section .rodata
  .globl sandbox_loader_begin, sandbox_loader_end, sandbox_init_begin, sandbox_init_end
  .balign 16
sandbox_loader_begin:
  .incbin SANDBOX_LOADER_FILE
sandbox_loader_end:
  .balign 16
sandbox_init_begin:
  .incbin SANDBOX_INIT_FILE
sandbox_init_end:
  .section .note.GNU-stack, "", @progbits
