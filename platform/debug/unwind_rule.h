// Unwinder: how to get from a function's registers to its caller's, as an ELF image's .eh_frame says; by
// libunwind.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "sandbox/guest_memory.h"

namespace sandbox::platform {

// In DWARF's order: rax rdx rcx rbx rsi rdi rbp rsp r8 to r15 rip.
using RegisterFile = std::array<uint64_t, 17>;
inline constexpr size_t kRbx = 3, kRbp = 6, kRsp = 7, kR12 = 12, kRip = 16;
// What a function gives back unchanged.
inline constexpr std::array<uint8_t, 6> kPreserved = {kRbx, kRbp, 12, 13, 14, 15};

struct UnwindRule {
  enum class Kind : uint8_t {
    kNone,       // no table says anything
    kOutermost,  // nobody called
    kFrame,      // the caller's stack pointer is a register and a number; what is saved lies below it
    kComputed,   // an expression: Unwinder::step
  };
  struct Saved {
    uint8_t register_number;
    int32_t offset;  // from the caller's stack pointer
  };
  Kind kind = Kind::kNone;
  uint8_t base = kRsp;
  int32_t size = 0;  // the caller's stack pointer less `base`
  int32_t return_offset = 0;
  uint8_t saved_count = 0;
  std::array<Saved, kPreserved.size()> saved{};
};

// Where an image lies in a process, and its table.
struct UnwindTable {
  uint64_t begin = 0, end = 0;              // of the image
  uint64_t header = 0;                      // of .eh_frame_hdr
  uint64_t entries = 0, entries_bytes = 0;  // its sorted table
};

// Tables are the traced program's: they may be damaged on purpose. Every read goes through `memory` and all
// reads for one rule are counted. One thread at a time.
class Unwinder {
 public:
  Unwinder();
  ~Unwinder();

  // The rule for `pc`, an address inside of an instruction; it holds wherever the image lies.
  UnwindRule rule_at(GuestMemory& memory, const UnwindTable& table, uint64_t pc);
  // Makes the registers of a frame those of its caller, by running the table's expressions. `pc` as above.
  // False: they cannot be run.
  bool step(GuestMemory& memory, const UnwindTable& table, uint64_t pc, RegisterFile& registers);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sandbox::platform
