// Looking numbers up in the kernel's table for 32-bit programs.
#include "sentry/trace/foreign_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sandbox::trace {

namespace {

constexpr std::pair<uint32_t, std::string_view> kNames[] = {
#define I386_NAME(number, name) {number, #name},
#include "sentry/trace/i386_names.def"
#undef I386_NAME
};

}  // namespace

std::string foreign_name(uint32_t number) {
  const auto found = std::ranges::lower_bound(kNames, number, {}, [](const auto& row) { return row.first; });
  if (found == std::end(kNames) || found->first != number) return fmt::format("i386_{}", number);
  return fmt::format("i386_{}", found->second);
}

}  // namespace sandbox::trace
