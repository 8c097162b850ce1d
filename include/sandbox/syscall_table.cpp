// The syscall table's run-time face, and the checks that keep its numbers right.
#include "sandbox/syscall_table.h"

#include <asm/unistd_64.h>

#include <string>

#include "sandbox/errno.h"
#include "sandbox/syscall_rows.h"

namespace sandbox {
namespace {

// A number that the system's header knows must be the header's; 0 stands for one it is too old to know.
#define SYSCALL(number, name, policy, signature, note)                       \
  static_assert(                                                             \
      [] {                                                                   \
        constexpr std::string_view expansion = SANDBOX_TEXT_OF(__NR_##name); \
        return expansion.starts_with("__NR_") || expansion == #number;       \
      }(),                                                                   \
      "the row of " #name " has another number than asm/unistd_64.h");
#define SANDBOX_TEXT_OF(macro) SANDBOX_TEXT_OF_EXPANDED(macro)
#define SANDBOX_TEXT_OF_EXPANDED(text) #text
#include "sandbox/syscalls.def"
#undef SANDBOX_TEXT_OF
#undef SANDBOX_TEXT_OF_EXPANDED

constexpr uint32_t kNumberLimit = kSyscallRows.back().number + 1;
constexpr uint16_t kNoRow = UINT16_MAX;

constexpr bool is_ascending() {
  for (size_t i = 1; i < kSyscallRows.size(); ++i)
    if (kSyscallRows[i - 1].number >= kSyscallRows[i].number) return false;
  return true;
}
static_assert(is_ascending(), "the table's numbers must be unique and ascending");

constexpr auto kRowOfNumber = [] {
  std::array<uint16_t, kNumberLimit> index{};
  index.fill(kNoRow);
  for (size_t i = 0; i < kSyscallRows.size(); ++i) index[kSyscallRows[i].number] = static_cast<uint16_t>(i);
  return index;
}();

}  // namespace

std::span<const SyscallRow> syscall_rows() { return kSyscallRows; }

const SyscallRow* find_syscall(uint32_t number) {
  if (number >= kNumberLimit || kRowOfNumber[number] == kNoRow) return nullptr;
  return &kSyscallRows[kRowOfNumber[number]];
}

const SyscallRow* find_syscall(std::string_view name) {
  for (const SyscallRow& row : kSyscallRows)
    if (row.name == name) return &row;
  return nullptr;
}

Action decide_syscall(uint32_t number, const std::array<uint64_t, 6>& registers) {
  const SyscallRow* row = find_syscall(number);
  return row ? row->decide(registers) : Action{Action::Kind::kDeny, ENOSYS};
}

std::string action_word(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kPass:
      return "PASS";
    case Action::Kind::kPassIds:
      return "PASS_IF";
    case Action::Kind::kEmulate:
      return "EMULATE";
    case Action::Kind::kExec:
      return "EXEC";
    case Action::Kind::kDeny:
      return "DENY " + std::string(Errno(action.errno_value).name());
  }
  return {};
}

std::string policy_word(const SyscallRow& row) {
  return row.rules.empty() ? action_word(row.default_action) : "PASS_IF";
}

}  // namespace sandbox
