// Value: one decoded argument, field or result as a small tree, from which text and JSON are printed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sandbox::trace {

struct Value {
  enum class Kind : uint8_t {
    kAbsent,      // the call does not look at this argument: nothing is printed
    kPending,     // the call has not written it yet
    kInteger,     // `number` in `base`
    kAddress,     // a pointer that stands for itself: NULL, unreadable, or a value (mmap)
    kString,      // bytes in `text`; `number`: how many there are, when `is_cut`
    kFlags,       // `text`: the names, joined by '|'; `rest`: the bits that have none
    kEnumerator,  // `text`: the name; empty when `number` has none
    kStructure,   // `members`, each with its `name`
    kArray,       // `members`; `is_cut`: there are more
    kSet,         // `members` of a set of small numbers, printed without commas; `is_inverted`: all but these
    kDescriptor,  // `number`; `text`: what it refers to, when known
    kExpression,  // `text`: how C writes it (htons(80)); members[0]: the plain value, when there is one
    kChange,      // members[0] before the call, members[1] after it
    kRemarks,     // `members`, each with an optional `name`: what strace prints after a result
  };
  enum class Base : uint8_t { kSigned, kUnsigned, kHex, kOctal };

  Kind kind = Kind::kAbsent;
  Base base = Base::kSigned;
  bool is_cut = false;
  bool is_inverted = false;
  bool is_brief = true;         // false: a field that text leaves out ("..." stands for it); JSON has it
  bool is_abstract = false;     // of a string: the name of an abstract socket, written @"name"
  bool shows_name = false;      // of an argument: text says "name=" before it, as strace does for clone
  bool names_itself = false;    // of a field: its text says what it is, without "name="
  bool is_hexadecimal = false;  // of a string: bytes that are no text
  std::string_view name;        // of an argument or field; lives as long as the program
  std::string_view label;       // of flags and enumerators: what stands for a missing name ("MAP_???"); of a
                                // descriptor that is none: its word (AT_FDCWD)
  uint64_t number = 0;  // also of flags, enumerators, expressions: the raw value, sign-extended if signed
  uint64_t rest = 0;
  std::string text;
  std::vector<Value> members;

  bool operator==(const Value&) const = default;

  static Value integer(int64_t number) { return of(Kind::kInteger, Base::kSigned, number); }
  static Value natural(uint64_t number) { return of(Kind::kInteger, Base::kUnsigned, number); }
  static Value hex(uint64_t number) { return of(Kind::kInteger, Base::kHex, number); }
  static Value octal(uint64_t number) { return of(Kind::kInteger, Base::kOctal, number); }
  static Value address(uint64_t number) { return of(Kind::kAddress, Base::kHex, number); }
  static Value pending() { return of(Kind::kPending, Base::kSigned, 0); }
  static Value array() { return of(Kind::kArray, Base::kSigned, 0); }
  static Value structure() { return of(Kind::kStructure, Base::kSigned, 0); }
  static Value string(std::string bytes);
  // `text` as C writes it, with the number or string that it means.
  static Value expression(std::string text, Value plain);
  static Value word(std::string_view text);  // an expression without a plain value

  Value&& named(std::string_view field) && {
    name = field;
    return std::move(*this);
  }
  Value&& verbose_only() && {
    is_brief = false;
    return std::move(*this);
  }
  Value& add(Value member) { return members.emplace_back(std::move(member)); }
  Value& add(std::string_view field, Value member) {
    return members.emplace_back(std::move(member).named(field));
  }

  // The member called `field`, or the element with that index ("0"), looking through one-element arrays (what
  // a pointer to a number decodes to) and, of a change, at the value after the call. Null when there is none.
  const Value* member(std::string_view field) const;
  // What a filter compares: the number, else nothing (strings, structures, addresses of what was not read).
  std::optional<int64_t> as_integer() const;
  // What a filter compares: the bytes of a string or the path of a descriptor.
  std::optional<std::string_view> as_string() const;

 private:
  static Value of(Kind kind, Base base, uint64_t number) {
    Value value;
    value.kind = kind;
    value.base = base;
    value.number = number;
    return value;
  }
};

}  // namespace sandbox::trace
