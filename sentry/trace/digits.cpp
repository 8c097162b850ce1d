// Digits by std::to_chars, which neither allocates nor looks at the locale.
#include "sentry/trace/digits.h"

#include <array>
#include <charconv>

namespace sandbox::trace {
namespace {

template <typename Number>
void append_in_base(std::string& out, Number number, int base) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

}  // namespace

void append_decimal(std::string& out, int64_t number) { append_in_base(out, number, 10); }
void append_natural(std::string& out, uint64_t number) { append_in_base(out, number, 10); }

void append_hex(std::string& out, uint64_t number) {
  if (number != 0) out += "0x";
  append_in_base(out, number, 16);
}

void append_octal(std::string& out, uint64_t number) {
  // Three digits at least, the first of them 0.
  if (number < 0100) out += number < 010 ? "00" : "0";
  if (number >= 0100) out += '0';
  append_in_base(out, number, 8);
}

void append_hex_byte(std::string& out, unsigned char byte) {
  if (byte < 0x10) out += '0';
  append_in_base(out, static_cast<unsigned>(byte), 16);
}

std::string decimal(int64_t number) {
  std::string out;
  append_decimal(out, number);
  return out;
}

std::string natural(uint64_t number) {
  std::string out;
  append_natural(out, number);
  return out;
}

std::string hex(uint64_t number) {
  std::string out;
  append_hex(out, number);
  return out;
}

}  // namespace sandbox::trace
