// Errno: a Linux error number as a type of its own, so that it is never mistaken for a value.
#pragma once

#include <cerrno>
#include <string_view>

namespace sandbox {

class Errno {
 public:
  constexpr explicit Errno(int value) : value_(value) {}
  // The errno left by the host call that just failed on this thread.
  static Errno last() { return Errno(errno); }

  constexpr int value() const { return value_; }
  // What a system call returns for this error: the negated number.
  constexpr long as_return() const { return -static_cast<long>(value_); }
  // "ENOENT"; "E?" for a number Linux does not define.
  std::string_view name() const;
  // "No such file or directory".
  std::string_view text() const;

  constexpr bool operator==(const Errno&) const = default;

 private:
  int value_;
};

}  // namespace sandbox
