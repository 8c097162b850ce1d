// Cutting and escaping the texts of /proc.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

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

// The whole of `text` as a number; nothing when it is not one.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (status != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// As mangle_path does: every byte of `which` becomes a backslash and three octal digits.
std::string escape_octal(std::string_view text, std::string_view which);
// Undoes escape_octal.
std::string unescape_octal(std::string_view text);

// What mount lines escape.
inline constexpr std::string_view kMountEscapes = " \t\n\\#";

}  // namespace sandbox::vfs
