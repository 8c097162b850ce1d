// Runs a seccomp program on a call's data as the kernel does: what a profile decides, and what tests check.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "sandbox/check.h"

namespace sandbox::platform::bpf {

struct Evaluation {
  uint32_t verdict;
  bool looked_at_arguments;  // the kernel caches the verdict only of calls that need none (kernel/seccomp.c)
  unsigned instructions;
};

// Ends the process at an instruction that seccomp does not have or a jump out of the program.
inline Evaluation evaluate(std::span<const sock_filter> program, const seccomp_data& data) {
  uint32_t accumulator = 0;
  bool looked = false;
  unsigned count = 0;
  for (size_t place = 0; place < program.size(); ++place) {
    const sock_filter& instruction = program[place];
    ++count;
    auto branch = [&](bool holds) { place += holds ? instruction.jt : instruction.jf; };
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        SANDBOX_CHECK(instruction.k + sizeof accumulator <= sizeof data && instruction.k % 4 == 0,
                      "a filter loads a word of the call");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, sizeof accumulator);
        looked |= instruction.k >= offsetof(seccomp_data, instruction_pointer);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= instruction.k;
        break;
      case BPF_JMP | BPF_JA | BPF_K:
        place += instruction.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        branch(accumulator == instruction.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        branch(accumulator > instruction.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        branch(accumulator >= instruction.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        branch((accumulator & instruction.k) != 0);
        break;
      case BPF_RET | BPF_K:
        return {instruction.k, looked, count};
      default:
        check_failed("the instruction is seccomp's",
                     "a filter has an instruction that seccomp does not have");
    }
  }
  check_failed("the program has ended", "a filter ends in a return");
}

}  // namespace sandbox::platform::bpf
