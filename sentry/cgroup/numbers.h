// Numbers in the texts of control groups, read without allocating.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sandbox/numbers.h"
#include "sentry/cgroup/limits.h"

namespace sandbox::cgroup {

// Takes the characters up to `separator` off the front of `text`, and the separator.
constexpr std::string_view take_until(std::string_view* text, char separator) {
  size_t end = text->find(separator);
  std::string_view part = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return part;
}
constexpr std::string_view take_line(std::string_view* text) { return take_until(text, '\n'); }
constexpr std::string_view take_word(std::string_view* line) { return take_until(line, ' '); }

// A limit: a number, or kUnlimited for "max" and -1. Nothing when it is neither, or cut off.
inline std::optional<uint64_t> limit_number(std::string_view word) {
  if (word == "max" || word == "-1") return kUnlimited;
  return parse_number<uint64_t>(word);
}

// A v1 counter without a limit holds the largest number of pages, in bytes.
inline constexpr uint64_t kLargestV1Limit = 0x7ffffffffffff000;
constexpr uint64_t from_v1(uint64_t limit) {
  // Kernels with larger pages round it down further.
  constexpr uint64_t kLargestPage = 65536;
  return limit >= kLargestV1Limit - kLargestPage ? kUnlimited : limit;
}

}  // namespace sandbox::cgroup
