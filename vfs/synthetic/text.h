// Cutting and escaping the texts of /proc.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/numbers.h"

namespace sandbox::vfs {

// Calls `take` with each line of `text`, its newline left out.
template <typename Take>
void for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    take(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// Takes the next word (separated by spaces and tabs) off the front of `text`; "" when there is none.
std::string_view take_word(std::string_view* text);

// As mangle_path does: every byte of `which` becomes a backslash and three octal digits.
std::string escape_octal(std::string_view text, std::string_view which);
// Undoes escape_octal.
std::string unescape_octal(std::string_view text);

// What mount lines escape.
inline constexpr std::string_view kMountEscapes = " \t\n\\#";

}  // namespace sandbox::vfs
