// Type: how one kind of argument, field or result is decoded; each family of types is a table in a
// types_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "sentry/trace/value.h"

namespace sandbox::trace {

class Scope;
struct Type;

// What is to be shown: a register, or memory that has been read already.
struct Source {
  uint64_t number = 0;               // sign-extended when the kernel's type is signed
  uint8_t width = 8;                 // bytes of `number` that count
  std::span<const std::byte> bytes;  // of a field or array element
};

using Show = Value (*)(Scope& scope, const Type& type, const Source& source);

// A named constant of the kernel. With a mask it is one value of a field of several bits.
struct Name {
  const char* text;
  uint64_t value;
  uint64_t mask = 0;

  constexpr uint64_t significant() const { return mask != 0 ? mask : value; }
};
using Names = std::span<const Name>;

struct Field {
  enum class Detail : uint8_t { kBrief, kVerbose };
  const char* name;
  uint16_t offset;
  uint16_t size;
  bool is_signed;
  const Type* type;
  Detail detail = Detail::kBrief;
};

struct Type {
  std::string_view name;  // as syscalls.def writes it ("OpenFlags"; "struct stat" of Out<struct stat>)
  Show show;
  uint16_t size = 0;         // in memory; 0: it is only ever a register
  Names names = {};          // of flags and choices
  const char* unknown = "";  // "MAP_???"
  std::span<const Field> fields = {};
  const Type* element = nullptr;  // of an array within a structure, and of what a pointer field points to
  // Of a pointer to what a call writes: so many bytes are read there and none elsewhere. 0: it depends.
  uint16_t output_bytes = 0;
  static constexpr uint16_t kShownBytes = UINT16_MAX;  // as many as of a string
};

// ---- ways to show, for the tables ----
Value show_signed(Scope&, const Type&, const Source&);
Value show_unsigned(Scope&, const Type&, const Source&);
Value show_hex(Scope&, const Type&, const Source&);
Value show_octal(Scope&, const Type&, const Source&);
Value show_address(Scope&, const Type&, const Source&);
Value show_flags(Scope&, const Type&, const Source&);
Value show_choice(Scope&, const Type&, const Source&);
Value show_structure(Scope&, const Type&, const Source&);
Value show_elements(Scope&, const Type&, const Source&);    // an array of `element` within a structure
Value show_characters(Scope&, const Type&, const Source&);  // char[N], up to its NUL
Value show_raw_bytes(Scope&, const Type&, const Source&);   // unsigned char[N], all of it, in hexadecimal
Value show_nothing(Scope&, const Type&, const Source&);     // padding

// Flags and choices of a number, without a Type.
Value flags_value(uint64_t number, Names names, std::string_view unknown);
Value choice_value(uint64_t number, unsigned width, Names names, std::string_view unknown);
// The name of `number`, null when it has none.
const char* name_of(uint64_t number, unsigned width, Names names);

}  // namespace sandbox::trace

// Rows of the tables: the name and the number of a constant are written once.
#define NAME(constant) {#constant, static_cast<uint64_t>(constant)}
#define MASKED_NAME(constant, mask) {#constant, static_cast<uint64_t>(constant), static_cast<uint64_t>(mask)}
#define FIELD_AS(text, structure, member, type)                                                  \
  ::sandbox::trace::Field {                                                                      \
    text, offsetof(structure, member), sizeof(structure::member),                                \
        std::is_signed_v<std::remove_cvref_t<decltype(std::declval<structure>().member)>>, &type \
  }
#define FIELD(structure, member, type) FIELD_AS(#member, structure, member, type)
#define VERBOSE_FIELD(structure, member, type)                                                    \
  ::sandbox::trace::Field {                                                                       \
    #member, offsetof(structure, member), sizeof(structure::member),                              \
        std::is_signed_v<std::remove_cvref_t<decltype(std::declval<structure>().member)>>, &type, \
        ::sandbox::trace::Field::Detail::kVerbose                                                 \
  }
