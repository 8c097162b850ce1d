// Which copy has the bytes.
#include "platform/copied_memory.h"

#include <algorithm>

namespace sandbox::platform {

Result<size_t> CopiedMemory::read_some(uint64_t address, std::span<std::byte> out) {
  for (const auto& [start, bytes] : outputs_) {
    if (address < start || address - start >= bytes.size()) continue;
    const auto from = bytes.subspan(address - start);
    const size_t count = std::min(from.size(), out.size());
    std::ranges::copy(from.first(count), out.begin());
    return count;
  }
  return live_.read_some(address, out);
}

Result<size_t> CopiedMemory::write_some(uint64_t address, std::span<const std::byte> in) {
  return live_.write_some(address, in);
}

}  // namespace sandbox::platform
