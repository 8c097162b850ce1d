// FakeMemory: a workload's memory of one mapped region, for tests of what reads arguments.
#pragma once

#include <cstring>
#include <vector>

#include "sandbox/guest_memory.h"

namespace sandbox::test {

class FakeMemory final : public GuestMemory {
 public:
  static constexpr uint64_t kStart = 0x10000;
  explicit FakeMemory(size_t size) : bytes_(size) {}

  // Puts bytes at the start of what is mapped.
  template <typename T>
  GuestPtr<T> put(const T& value, size_t at = 0) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return {kStart + at};
  }
  std::byte* data() { return bytes_.data(); }

  Result<size_t> read_some(uint64_t address, std::span<std::byte> out) override {
    size_t count = available(address, out.size());
    if (count == 0 && !out.empty()) return err(EFAULT);
    std::memcpy(out.data(), bytes_.data() + (address - kStart), count);
    return count;
  }
  Result<size_t> write_some(uint64_t address, std::span<const std::byte> in) override {
    size_t count = available(address, in.size());
    if (count == 0 && !in.empty()) return err(EFAULT);
    std::memcpy(bytes_.data() + (address - kStart), in.data(), count);
    return count;
  }

 private:
  size_t available(uint64_t address, size_t wanted) const {
    if (address < kStart || address >= kStart + bytes_.size()) return 0;
    return std::min<size_t>(wanted, kStart + bytes_.size() - address);
  }
  std::vector<std::byte> bytes_;
};

}  // namespace sandbox::test
