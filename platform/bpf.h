// Writes seccomp programs from rules, in constant expressions: every piece ends in returns and jumps only
// forward.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sandbox/syscall_policy.h"

// Why not libseccomp: it joins a call's rules by the strictest action, and so has no word for ordered rules
// with a default, nor for "any of these bits" or "32 bits of this register are not 0"; and it must run, at
// build time or at start-up. These hundred lines do it while the compiler runs.
namespace sandbox::platform::bpf {

using Program = std::vector<sock_filter>;

constexpr size_t kMaxJump = 255;  // what a conditional jump can skip

constexpr sock_filter statement(uint16_t code, uint32_t operand) { return {code, 0, 0, operand}; }
constexpr sock_filter load(size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}
// Skips `if_true` or `if_false` instructions.
constexpr sock_filter jump(uint16_t test, uint32_t operand, size_t if_true, size_t if_false) {
  if (if_true > kMaxJump || if_false > kMaxJump) throw "a rule is too long for a conditional jump";
  return {static_cast<uint16_t>(BPF_JMP | BPF_K | test), static_cast<uint8_t>(if_true),
          static_cast<uint8_t>(if_false), operand};
}
constexpr void append(Program& program, const Program& rest) {
  program.insert(program.end(), rest.begin(), rest.end());
}

constexpr size_t low_word(size_t argument) {
  return offsetof(seccomp_data, args) + argument * sizeof(uint64_t);
}
constexpr size_t high_word(size_t argument) { return low_word(argument) + sizeof(uint32_t); }
constexpr uint32_t low_of(uint64_t value) { return static_cast<uint32_t>(value); }
constexpr uint32_t high_of(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

// Each of these falls through when the test holds and otherwise skips `if_false` instructions behind its end.

constexpr Program any_bit(const Comparison& comparison, size_t if_false) {
  Program program;
  const bool needs_high = !comparison.is_32_bit && high_of(comparison.mask) != 0;
  if (needs_high) {
    program.push_back(load(high_word(comparison.index)));
    program.push_back(jump(BPF_JSET, high_of(comparison.mask), 2, 0));
  }
  program.push_back(load(low_word(comparison.index)));
  program.push_back(jump(BPF_JSET, low_of(comparison.mask), 0, if_false));
  return program;
}

constexpr Program between(const Comparison& comparison, size_t if_false) {
  return {load(low_word(comparison.index)), jump(BPF_JGE, low_of(comparison.values[0]), 0, if_false + 1),
          jump(BPF_JGT, low_of(comparison.values[1]), if_false, 0)};
}

// Membership of one word's masked value; skips `if_member` or `if_other` instructions behind its end.
constexpr Program word_is_member(size_t offset, uint32_t mask, std::span<const uint32_t> values,
                                 size_t if_member, size_t if_other) {
  Program program{load(offset)};
  if (mask != UINT32_MAX) program.push_back(statement(BPF_ALU | BPF_AND | BPF_K, mask));
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t to_end = values.size() - 1 - i;
    program.push_back(jump(BPF_JEQ, values[i], if_member + to_end, to_end == 0 ? if_other : 0));
  }
  return program;
}

constexpr Program membership(const Comparison& comparison, size_t if_false) {
  const bool wants_member = comparison.test == Comparison::Test::kOneOf;
  const size_t if_member = wants_member ? 0 : if_false;
  const size_t if_other = wants_member ? if_false : 0;
  std::vector<uint32_t> low;
  for (size_t i = 0; i < comparison.value_count; ++i) {
    low.push_back(low_of(comparison.values[i]));
    if (high_of(comparison.values[i]) != high_of(comparison.values[0])) throw "values need one upper half";
  }
  Program tail =
      word_is_member(low_word(comparison.index), low_of(comparison.mask), low, if_member, if_other);
  if (comparison.is_32_bit) return tail;
  const uint32_t high = high_of(comparison.values[0]);
  Program program = word_is_member(high_word(comparison.index), high_of(comparison.mask), {&high, 1}, 0,
                                   tail.size() + if_other);
  append(program, tail);
  return program;
}

constexpr Program test(const Comparison& comparison, size_t if_false) {
  switch (comparison.test) {
    case Comparison::Test::kAnyBit:
      return any_bit(comparison, if_false);
    case Comparison::Test::kBetween:
      return between(comparison, if_false);
    default:
      return membership(comparison, if_false);
  }
}

// Returns `verdict` when the condition holds, else falls through.
constexpr Program when(const Condition& condition, uint32_t verdict) {
  Program program{statement(BPF_RET | BPF_K, verdict)};
  for (size_t i = condition.count; i-- > 0;) {
    Program longer = test(condition.comparisons[i], program.size());
    append(longer, program);
    program = longer;
  }
  return program;
}

// What happens to the numbers from `first` up to the next segment's.
struct Segment {
  uint32_t first;
  Program program;
};

// Finds the segment of the number that is loaded, by halving, and runs its program.
constexpr Program search(std::span<const Segment> segments) {
  if (segments.size() == 1) return segments[0].program;
  const size_t middle = segments.size() / 2;
  const Program below = search(segments.first(middle));
  const Program above = search(segments.subspan(middle));
  Program program;
  if (below.size() <= kMaxJump) {
    program.push_back(jump(BPF_JGE, segments[middle].first, below.size(), 0));
  } else {
    program.push_back(jump(BPF_JGE, segments[middle].first, 0, 1));
    program.push_back(statement(BPF_JMP | BPF_JA, static_cast<uint32_t>(below.size())));
  }
  append(program, below);
  append(program, above);
  return program;
}

}  // namespace sandbox::platform::bpf
