// PagedMemory: a thread's memory read a page at a time, for readers of many small things close together.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <span>

#include "sandbox/guest_memory.h"

namespace sandbox::platform {

// For as long as the thread is stopped: what was read once is not read again.
class PagedMemory {
 public:
  explicit PagedMemory(GuestMemory& memory) : memory_(memory) {}

  // All of `out`, or false.
  bool read(uint64_t address, std::span<std::byte> out) {
    while (!out.empty()) {
      const uint64_t in_page = address % kPageSize;
      const Page& page = page_at(address - in_page);
      if (in_page >= page.size) return false;
      const size_t count = std::min<size_t>(out.size(), page.size - in_page);
      std::memcpy(out.data(), page.bytes.data() + in_page, count);
      out = out.subspan(count);
      address += count;
    }
    return true;
  }
  template <typename T>
  std::optional<T> read(uint64_t address) {
    T value;
    if (!read(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }

 private:
  static constexpr uint64_t kPageSize = 4096;
  static constexpr size_t kMaxPages = 64;
  struct Page {
    uint64_t address = 0;
    size_t size = 0;
    std::array<std::byte, kPageSize> bytes;
  };

  const Page& page_at(uint64_t address) {
    for (const Page& page : pages_)
      if (page.address == address) return page;
    Page& page = pages_.size() < kMaxPages ? pages_.emplace_back() : pages_[next_++ % kMaxPages];
    page.address = address;
    auto size = memory_.read_some(address, page.bytes);
    page.size = size ? *size : 0;
    return page;
  }

  GuestMemory& memory_;
  std::deque<Page> pages_;
  size_t next_ = 0;
};

}  // namespace sandbox::platform
