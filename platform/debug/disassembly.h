// Disassembler: a traced program's instructions as text, with Capstone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/guest_memory.h"

namespace sandbox::platform {

struct Instruction {
  uint64_t address = 0;
  std::string text;  // "mov eax, dword ptr [rdi]"; "(bad)" for a byte that begins none
};

// One thread at a time. Without Capstone's library every instruction is "(bad)".
class Disassembler {
 public:
  static constexpr size_t kMaxInstructions = 256;

  Disassembler();
  ~Disassembler();

  // `count` instructions, 1 to kMaxInstructions, around the one at `address`: half of them before it, as far
  // as they can be told, then that one and what follows. Empty when nothing can be read there.
  std::vector<Instruction> around(GuestMemory& memory, uint64_t address, size_t count);

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sandbox::platform
