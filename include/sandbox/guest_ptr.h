// GuestPtr<T>: an address in a workload's memory; it cannot be dereferenced, only handed to GuestMemory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sandbox {

template <typename T>
struct GuestPtr {
  uint64_t address = 0;

  constexpr bool is_null() const { return address == 0; }
  constexpr GuestPtr<T> element(uint64_t index) const
    requires(!__is_same(T, void) && !__is_same(T, const void))
  {
    return {address + index * sizeof(T)};
  }
  template <typename U>
  constexpr GuestPtr<U> cast(uint64_t byte_offset = 0) const {
    return {address + byte_offset};
  }
};

}  // namespace sandbox
