// ExecImage: everything the loader needs to turn a fresh address space into the program that execve named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// One PT_LOAD. All values as the file gives them (elf(5)), checked not to overflow.
struct ElfSegment {
  uint64_t vaddr, file_size, memory_size, file_offset;
  int protection;  // PROT_*
};

// An ELF file that passed every check; `file` is open for reading.
struct ElfObject {
  UniqueFd file;
  enum class Placement { kFixed, kAnywhere } placement;  // ET_EXEC or ET_DYN
  uint64_t first_vaddr, span;                            // page aligned: what all PT_LOADs cover
  uint64_t alignment;                                    // largest p_align, at least a page
  uint64_t entry_vaddr, phdr_vaddr;
  uint16_t phdr_count;
  std::vector<ElfSegment> segments;
  std::string interpreter;  // PT_INTERP, empty when static
  bool wants_executable_stack;
};

// Parses the headers of an x86-64 executable or shared object, as fs/binfmt_elf.c does.
// Errors: ENOEXEC (not ELF, foreign machine, truncated), EINVAL (bad program headers),
// ELIBBAD (an interpreter that is no ELF: `role` decides), EIO, ENOMEM (absurd sizes).
enum class ElfRole { kProgram, kInterpreter };
Result<ElfObject> read_elf(UniqueFd file, ElfRole role);

struct ExecImage {
  ElfObject program;
  std::optional<ElfObject> interpreter;
  // What replaces argv[0] when `#!` was followed: interpreter, its optional argument, script path.
  std::vector<std::string> argv_prefix;
  std::string execfn;  // AT_EXECFN
  std::string comm;    // /proc/PID/comm; at most 15 bytes are used
};

}  // namespace sandbox::platform
