// Reading a traced program's memory within bounds, and the values that are built from it.
#include "sentry/trace/scope.h"

#include <fcntl.h>
#include <linux/limits.h>

#include <algorithm>
#include <array>

namespace sandbox::trace {
namespace {
constexpr size_t kPageSize = 4096;
// Nearly every string is shorter, and a short copy is the cheaper one.
constexpr size_t kFirstChunk = 256;
}  // namespace

size_t Scope::read_some(uint64_t address, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size() && bytes_left_ != 0) {
    if (address + done < address) break;
    auto count =
        target_.memory.read_some(address + done, out.subspan(done, std::min(out.size() - done, bytes_left_)));
    if (!count || *count == 0) break;
    done += *count;
    bytes_left_ -= *count;
  }
  return done;
}

Value Scope::show_bytes(const Type& type, std::span<const std::byte> bytes) {
  Source source{0, 8, bytes};
  if (bytes.size() <= sizeof source.number) {
    std::memcpy(&source.number, bytes.data(), bytes.size());
    source.width = static_cast<uint8_t>(bytes.size());
  }
  return type.show(*this, type, source);
}

Value Scope::pointer(const Type& type, uint64_t address) {
  constexpr size_t kOnStack = 512;
  if (address == 0 || type.size == 0) return Value::address(address);
  std::array<std::byte, kOnStack> small;
  std::vector<std::byte> large;
  std::span<std::byte> bytes(small);
  if (type.size > kOnStack) {
    large.resize(type.size);
    bytes = large;
  }
  bytes = bytes.first(type.size);
  if (!read(address, bytes)) return Value::address(address);
  Value value = show_bytes(type, bytes);
  const bool is_number = value.kind == Value::Kind::kInteger || value.kind == Value::Kind::kAddress ||
                         value.kind == Value::Kind::kDescriptor || value.kind == Value::Kind::kFlags ||
                         value.kind == Value::Kind::kEnumerator;
  if (!is_number) return value;
  Value array = Value::array();
  array.add(std::move(value));
  return array;
}

Value Scope::array(const Type& element, uint64_t address, uint64_t count) {
  if (address == 0 || element.size == 0) return Value::address(address);
  Value array = Value::array();
  if (count == 0) return array;
  const size_t shown = std::min<uint64_t>(count, options_.array_elements);
  std::vector<std::byte> bytes(shown * element.size);
  const size_t readable = read_some(address, bytes) / element.size;
  if (readable == 0) return Value::address(address);
  array.members.reserve(readable);
  for (size_t i = 0; i < readable; ++i)
    array.add(show_bytes(element, std::span(bytes).subspan(i * element.size, element.size)));
  array.is_cut = readable < count;
  return array;
}

Value Scope::string_of_at_most(uint64_t address, size_t shown, size_t limit) {
  if (address == 0) return Value::address(0);
  std::array<char, kPageSize> chunk;
  std::string text;
  // One byte more than is shown tells whether the string ends there.
  const size_t wanted = std::min(shown + 1, limit);
  while (text.size() < wanted) {
    const uint64_t position = address + text.size();
    // Never past the page's end: the next page may be unreadable although the string ends before it.
    const size_t size = std::min(
        {text.empty() ? kFirstChunk : kPageSize, kPageSize - position % kPageSize, wanted - text.size()});
    const size_t count = read_some(position, std::as_writable_bytes(std::span(chunk.data(), size)));
    if (const void* end = std::memchr(chunk.data(), 0, count)) {
      text.append(chunk.data(), static_cast<const char*>(end) - chunk.data());
      return Value::string(std::move(text));
    }
    text.append(chunk.data(), count);
    if (count < size) return Value::address(address);
  }
  text.resize(std::min(text.size(), shown));
  Value value = Value::string(std::move(text));
  value.is_cut = true;
  return value;
}

Value Scope::string(uint64_t address, size_t limit) {
  return string_of_at_most(address, std::min(options_.string_bytes, limit - 1), limit);
}

Value Scope::path(uint64_t address) { return string_of_at_most(address, PATH_MAX - 1, PATH_MAX); }

Value Scope::bytes(uint64_t address, uint64_t count) {
  if (address == 0) return Value::address(0);
  std::string text(std::min<uint64_t>(count, options_.string_bytes), '\0');
  if (!read(address, std::as_writable_bytes(std::span(text)))) return Value::address(address);
  Value value = Value::string(std::move(text));
  value.number = count;
  value.is_cut = count > value.text.size();
  return value;
}

Value Scope::bytes_of(std::span<const std::byte> all) {
  const size_t shown = std::min(all.size(), options_.string_bytes);
  Value value = Value::string(std::string(reinterpret_cast<const char*>(all.data()), shown));
  value.number = all.size();
  value.is_cut = all.size() > shown;
  return value;
}

Value Scope::descriptor(int number) {
  Value value;
  value.kind = Value::Kind::kDescriptor;
  value.number = static_cast<uint64_t>(static_cast<int64_t>(number));
  if (target_.names != nullptr && number >= 0) value.text = target_.names->describe(number);
  return value;
}

Value Scope::directory(int number) {
  Value value = descriptor(number);
  if (number != AT_FDCWD) return value;
  value.label = "AT_FDCWD";
  if (target_.names != nullptr) value.text = target_.names->working_directory();
  return value;
}

void Scope::remark(std::string_view name, Value value) {
  remarks_.kind = Value::Kind::kRemarks;
  remarks_.add(name, std::move(value));
}

}  // namespace sandbox::trace
