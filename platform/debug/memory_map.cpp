// Reading and searching a memory map.
#include "platform/debug/memory_map.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sandbox::platform {

namespace {

// Takes a number off the front of `rest`, and the separator behind it.
template <typename Number>
bool take_number(std::string_view& rest, char separator, int base, Number& number) {
  auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), number, base);
  if (failure != std::errc{} || end == rest.data() + rest.size() || *end != separator) return false;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()) + 1);
  return true;
}

// "7f00-7f10 r-xp 00001000 fe:01 1234      /lib/libc.so.6"
std::optional<Mapping> parse_line(std::string_view line) {
  Mapping mapping;
  unsigned device_major = 0, device_minor = 0;
  if (!take_number(line, '-', 16, mapping.begin) || !take_number(line, ' ', 16, mapping.end))
    return std::nullopt;
  const size_t word = line.find(' ');
  if (word == line.npos || word < 3) return std::nullopt;
  mapping.permissions = line.substr(0, word);
  mapping.is_executable = line[2] == 'x';
  line.remove_prefix(word + 1);
  if (!take_number(line, ' ', 16, mapping.offset) || !take_number(line, ':', 16, device_major) ||
      !take_number(line, ' ', 16, device_minor)) {
    return std::nullopt;
  }
  mapping.device = makedev(device_major, device_minor);
  const std::string inode(line.substr(0, line.find(' ')));
  std::from_chars(inode.data(), inode.data() + inode.size(), mapping.inode);
  line.remove_prefix(inode.size());
  const size_t name = line.find_first_not_of(' ');
  if (name != line.npos) mapping.name = line.substr(name);
  return mapping;
}

std::string described(const Mapping& mapping) {
  return fmt::format("{} ({})", mapping.name.empty() ? "anonymous memory" : mapping.name,
                     mapping.permissions);
}

}  // namespace

MemoryMap MemoryMap::parse(std::string_view text) {
  MemoryMap map;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    auto mapping = parse_line(line);
    const bool is_next = map.mappings_.empty() || (mapping && mapping->begin >= map.mappings_.back().end);
    if (mapping && mapping->begin < mapping->end && is_next) map.mappings_.push_back(*std::move(mapping));
  }
  return map;
}

const Mapping* MemoryMap::find(uint64_t address) const {
  auto above = std::ranges::upper_bound(mappings_, address, {}, &Mapping::begin);
  if (above == mappings_.begin()) return nullptr;
  const Mapping& candidate = *std::prev(above);
  return candidate.contains(address) ? &candidate : nullptr;
}

bool MemoryMap::has_code_in(uint64_t begin, uint64_t end) const {
  auto first = std::ranges::upper_bound(mappings_, begin, {}, &Mapping::end);
  for (; first != mappings_.end() && first->begin < end; ++first)
    if (first->is_executable) return true;
  return false;
}

std::string MemoryMap::describe(uint64_t address) const {
  if (const Mapping* mapping = find(address))
    return fmt::format("in {} at +{:#x}", described(*mapping), address - mapping->begin);
  constexpr uint64_t kNear = 1 << 20;
  auto above = std::ranges::upper_bound(mappings_, address, {}, &Mapping::begin);
  if (above != mappings_.begin() && address - std::prev(above)->end < kNear) {
    return fmt::format("nothing is mapped there; {:#x} bytes above the end of {}",
                       address - std::prev(above)->end, described(*std::prev(above)));
  }
  if (above != mappings_.end() && above->begin - address < kNear) {
    return fmt::format("nothing is mapped there; {:#x} bytes below {}", above->begin - address,
                       described(*above));
  }
  return "nothing is mapped there";
}

}  // namespace sandbox::platform
