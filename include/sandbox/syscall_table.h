// The syscall table at run time: one row a call, looked up by number or name.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/syscall_policy.h"

namespace sandbox {

// The one source is sandbox/syscalls.def; a row is everything it says about one call.
struct SyscallRow {
  uint32_t number;
  std::string_view name;
  Action default_action;
  std::span<const Rule> rules;
  std::string_view note;
  SyscallSignature signature;

  std::span<const SyscallArgument> arguments() const {
    return {signature.arguments.data(), signature.argument_count};
  }
  // Whether some call of this number reaches a handler, which must then exist.
  constexpr bool can_emulate() const {
    if (default_action.reaches_handler()) return true;
    for (const Rule& rule : rules)
      if (rule.action.reaches_handler()) return true;
    return false;
  }
  // What the filter does with this call: the table's own reading of its rules, free of BPF.
  constexpr Action decide(const std::array<uint64_t, 6>& registers) const {
    for (const Rule& rule : rules)
      if (rule.condition.holds(registers)) return rule.action;
    return default_action;
  }
};

// Every row, ascending by number.
std::span<const SyscallRow> syscall_rows();
// Null when no row has that number (or name): the call fails with ENOSYS.
const SyscallRow* find_syscall(uint32_t number);
const SyscallRow* find_syscall(std::string_view name);
// ENOSYS for a number without a row.
Action decide_syscall(uint32_t number, const std::array<uint64_t, 6>& registers);

// "EMULATE", "EXEC", "PASS" or "DENY ENOSYS".
std::string action_word(const Action& action);
// The action's word, or "PASS_IF" when the registers decide.
std::string policy_word(const SyscallRow& row);

}  // namespace sandbox
