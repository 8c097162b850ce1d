// The fields of a /proc/PID/stat.
#pragma once

#include <algorithm>
#include <string_view>

namespace sandbox {

// What proc_pid_stat(5) numbers; the first that stat_field finds is kState.
enum class StatField {
  kState = 3,
  kSession = 6,
  kTerminal = 7,
  kUserTicks = 14,
  kSystemTicks = 15,
  kChildrensUserTicks = 16,
  kChildrensSystemTicks = 17,
  kStartTicks = 22,
  kArgumentsStart = 48,
};

// A field of the file's text; empty when the text has none. Field 2, the command's name, may hold anything,
// parentheses and newlines too; nothing after it holds a parenthesis.
constexpr std::string_view stat_field(std::string_view text, StatField field) {
  const size_t name_end = text.rfind(')');
  if (name_end == text.npos) return {};
  text.remove_prefix(name_end + 1);
  for (int number = static_cast<int>(StatField::kState);; ++number) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    if (number == static_cast<int>(field) || word.empty()) return word;
    text.remove_prefix(word.size());
  }
}

}  // namespace sandbox
