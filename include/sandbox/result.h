// Result<T>: a value or a Linux errno; TRY unwraps one or returns its error to the caller.
#pragma once

#include <expected>
#include <utility>

#include "sandbox/errno.h"

namespace sandbox {

template <typename T>
using Result = std::expected<T, Errno>;

// `return err(ENOENT);`
constexpr std::unexpected<Errno> err(int value) { return std::unexpected(Errno(value)); }
inline std::unexpected<Errno> last_error() { return std::unexpected(Errno::last()); }

// The result of a host call that returns -1 and sets errno.
template <typename T>
Result<T> host_result(T value) {
  if (value == static_cast<T>(-1)) [[unlikely]]
    return last_error();
  return value;
}
inline Result<void> host_status(long value) {
  if (value < 0) [[unlikely]]
    return last_error();
  return {};
}

}  // namespace sandbox

// The value of `expression`, or return its error from the enclosing function.
#define TRY(expression)                            \
  __extension__({                                  \
    auto try_result_ = (expression);               \
    if (!try_result_.has_value()) [[unlikely]]     \
      return std::unexpected(try_result_.error()); \
    *std::move(try_result_);                       \
  })
