// Numbers in text.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace sandbox {

// The whole of `text` as a number; nothing when it is not one, or does not fit.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (status != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The number that `text` begins with, whatever follows it; nothing when it begins with none, or it does not
// fit.
template <std::integral Number>
std::optional<Number> leading_number(std::string_view text, int base = 10) {
  Number value{};
  if (std::from_chars(text.data(), text.data() + text.size(), value, base).ec != std::errc())
    return std::nullopt;
  return value;
}

}  // namespace sandbox
