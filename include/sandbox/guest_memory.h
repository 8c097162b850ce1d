// GuestMemory: how the sentry reads and writes the memory of one workload thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "sandbox/guest_ptr.h"
#include "sandbox/result.h"

namespace sandbox {

// Implemented by the platform. Every emulated call reads each argument exactly once: what was
// read is what was decided on, and the kernel never reads it again.
class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  // Copies up to `out.size()` bytes, stopping at the first unreadable page; the count copied.
  // Errors: EFAULT when not even the first byte is readable; ESRCH when the thread is gone.
  virtual Result<size_t> read_some(uint64_t address, std::span<std::byte> out) = 0;
  // The same for writing.
  virtual Result<size_t> write_some(uint64_t address, std::span<const std::byte> in) = 0;

  // All of `out` or EFAULT.
  Result<void> read_bytes(uint64_t address, std::span<std::byte> out);
  // All of `in` or EFAULT (a prefix may have been written, as copy_to_user may).
  Result<void> write_bytes(uint64_t address, std::span<const std::byte> in);

  // A string that ends with NUL within `limit` bytes, NUL included.
  // Errors: EFAULT (unreadable before its end), `too_long` (no NUL within limit).
  Result<std::string> read_string(GuestPtr<const char> address, size_t limit, int too_long);
  // A path: at most PATH_MAX bytes with its NUL. Errors: EFAULT, ENAMETOOLONG. "" is not an error.
  Result<std::string> read_path(GuestPtr<const char> address);

  template <typename T>
  Result<std::remove_const_t<T>> read(GuestPtr<T> address) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::remove_const_t<T> value;
    auto status = read_bytes(address.address, std::as_writable_bytes(std::span(&value, 1)));
    if (!status) return std::unexpected(status.error());
    return value;
  }
  template <typename T>
  Result<void> write(GuestPtr<T> address, const std::type_identity_t<T>& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return write_bytes(address.address, std::as_bytes(std::span(&value, 1)));
  }
  template <typename T>
  Result<std::vector<std::remove_const_t<T>>> read_array(GuestPtr<T> address, size_t count) {
    std::vector<std::remove_const_t<T>> values(count);
    auto status = read_bytes(address.address, std::as_writable_bytes(std::span(values)));
    if (!status) return std::unexpected(status.error());
    return values;
  }
};

}  // namespace sandbox
