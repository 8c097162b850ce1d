// Runs a seccomp program on made-up calls, so that every number can be checked without making one.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <span>

namespace sandbox::tests {

struct Evaluation {
  uint32_t verdict;
  bool looked_at_arguments;  // the kernel caches the verdict only of calls that need none (kernel/seccomp.c)
  unsigned instructions;
};

// Stops the test run at an instruction that seccomp does not have or a jump out of the program.
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
        if (instruction.k + sizeof accumulator > sizeof data || instruction.k % 4 != 0) std::abort();
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
        std::abort();
    }
  }
  std::abort();
}

}  // namespace sandbox::tests
