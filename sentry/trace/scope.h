// Scope: what a type may look at while one argument of one call is decoded; every read is bounded.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "sentry/trace/decoder.h"
#include "sentry/trace/type.h"

namespace sandbox::trace {

enum class Phase : uint8_t { kEntry, kExit };

class Scope {
 public:
  // `arguments`: the registers as the kernel looks at them.
  Scope(const DecoderOptions& options, const Target& target, std::span<const uint64_t> arguments, Phase phase,
        int64_t result)
      : options_(options),
        target_(target),
        arguments_(arguments),
        phase_(phase),
        result_(result),
        bytes_left_(options.bytes_per_call) {}

  const DecoderOptions& options() const { return options_; }
  Phase phase() const { return phase_; }
  bool is_exit() const { return phase_ == Phase::kExit; }
  int64_t result() const { return result_; }
  bool failed() const { return is_exit() && result_ < 0 && result_ >= -4095; }

  void set_index(size_t index) { index_ = index; }
  uint64_t argument(size_t index) const { return index < arguments_.size() ? arguments_[index] : 0; }
  // Neighbours of the argument that is being decoded.
  uint64_t argument_after(size_t distance = 1) const { return argument(index_ + distance); }
  uint64_t argument_before(size_t distance = 1) const {
    return distance <= index_ ? argument(index_ - distance) : 0;
  }

  // ---- memory ----
  // The bytes that are readable from `address` on, at most out.size(); stops for good when the call's budget
  // ends.
  size_t read_some(uint64_t address, std::span<std::byte> out);
  bool read(uint64_t address, std::span<std::byte> out) { return read_some(address, out) == out.size(); }
  template <typename T>
  std::optional<T> read(uint64_t address) {
    T value;
    if (!read(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }
  // A structure that callers may know a shorter or longer form of: missing bytes are zero.
  template <typename T>
  std::optional<T> read_prefix(uint64_t address, uint64_t size) {
    T value;
    std::memset(&value, 0, sizeof value);
    if (!read(address,
              std::as_writable_bytes(std::span(&value, 1)).first(std::min<uint64_t>(size, sizeof value))))
      return std::nullopt;
    return value;
  }

  // ---- values ----
  template <typename T>
  Value show(const Type& type, T number) {
    return type.show(*this, type, {static_cast<uint64_t>(number), sizeof(T), {}});
  }
  Value show_bytes(const Type& type, std::span<const std::byte> bytes);
  template <typename T>
  Value show_object(const Type& type, const T& object) {
    return show_bytes(type, std::as_bytes(std::span(&object, 1)));
  }
  // What `address` points to; numbers in brackets, as strace has them. The address when it cannot be read.
  Value pointer(const Type& type, uint64_t address);
  Value array(const Type& element, uint64_t address, uint64_t count);
  // A string with NUL, cut to the limit of strings; `limit` is where Linux stops looking for its end.
  Value string(uint64_t address, size_t limit = 1 << 16);
  Value path(uint64_t address);
  // `count` bytes that need not be text, cut to the limit of strings.
  Value bytes(uint64_t address, uint64_t count);
  Value bytes_of(std::span<const std::byte> all);
  Value descriptor(int number);
  // A descriptor, or AT_FDCWD.
  Value directory(int number);

  // What is printed after the result. `name` lives as long as the program.
  void remark(std::string_view name, Value value);
  // The same, unless something has been remarked already.
  void remark_once(Value value) {
    if (remarks_.members.empty()) remark({}, std::move(value));
  }
  // What this argument shows after the call stands alone, instead of "before => after".
  void replace_before() { replaces_before_ = true; }
  bool take_replacement() { return std::exchange(replaces_before_, false); }
  Value take_remarks() { return std::move(remarks_); }

 private:
  Value string_of_at_most(uint64_t address, size_t shown, size_t limit);

  const DecoderOptions& options_;
  const Target& target_;
  std::span<const uint64_t> arguments_;
  Phase phase_;
  int64_t result_;
  size_t index_ = 0;
  size_t bytes_left_;
  Value remarks_;
  bool replaces_before_ = false;
};

}  // namespace sandbox::trace
