// The reads and writes of GuestMemory that need no engine: whole objects and strings.
#include "sandbox/guest_memory.h"

#include <linux/limits.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sandbox {

namespace {
constexpr size_t kPageSize = 4096;
// Nearly every path is shorter, and a short copy is the cheaper one.
constexpr size_t kFirstChunk = 256;
}  // namespace

Result<void> GuestMemory::read_bytes(uint64_t address, std::span<std::byte> out) {
  while (!out.empty()) {
    size_t count = TRY(read_some(address, out));
    if (count == 0) return err(EFAULT);
    address += count;
    out = out.subspan(count);
  }
  return {};
}

Result<void> GuestMemory::write_bytes(uint64_t address, std::span<const std::byte> in) {
  while (!in.empty()) {
    size_t count = TRY(write_some(address, in));
    if (count == 0) return err(EFAULT);
    address += count;
    in = in.subspan(count);
  }
  return {};
}

Result<std::string> GuestMemory::read_string(GuestPtr<const char> address, size_t limit, int too_long) {
  std::array<char, kPageSize> chunk;
  std::string text;
  uint64_t position = address.address;
  size_t wanted = kFirstChunk;
  while (text.size() < limit) {
    // Never past the page's end: the next page may be unreadable although the string ends before it.
    size_t to_page_end = kPageSize - position % kPageSize;
    size_t size = std::min({wanted, to_page_end, limit - text.size()});
    size_t count = TRY(read_some(position, std::as_writable_bytes(std::span(chunk.data(), size))));
    if (count == 0) return err(EFAULT);
    if (const void* end = std::memchr(chunk.data(), 0, count)) {
      size_t length = static_cast<const char*>(end) - chunk.data();
      text.append(chunk.data(), length);
      return text;
    }
    text.append(chunk.data(), count);
    position += count;
    wanted = kPageSize;
  }
  return err(too_long);
}

Result<std::string> GuestMemory::read_path(GuestPtr<const char> address) {
  return read_string(address, PATH_MAX, ENAMETOOLONG);
}

}  // namespace sandbox
