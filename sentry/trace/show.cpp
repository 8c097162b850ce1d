// The ways to show numbers, flags, choices and structures that most types share.
#include <algorithm>
#include <cstring>

#include "sentry/trace/scope.h"

namespace sandbox::trace {
namespace {

constexpr uint64_t width_mask(unsigned width) {
  return width >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1;
}

uint64_t sign_extended(uint64_t number, unsigned width) {
  if (width >= 8) return number;
  const unsigned shift = 64 - 8 * width;
  return static_cast<uint64_t>(static_cast<int64_t>(number << shift) >> shift);
}

}  // namespace

Value show_signed(Scope&, const Type&, const Source& source) {
  return Value::integer(static_cast<int64_t>(sign_extended(source.number, source.width)));
}

Value show_unsigned(Scope&, const Type&, const Source& source) {
  return Value::natural(source.number & width_mask(source.width));
}

Value show_hex(Scope&, const Type&, const Source& source) {
  return Value::hex(source.number & width_mask(source.width));
}

Value show_octal(Scope&, const Type&, const Source& source) {
  return Value::octal(source.number & width_mask(source.width));
}

Value show_address(Scope&, const Type&, const Source& source) { return Value::address(source.number); }

Value show_flags(Scope&, const Type& type, const Source& source) {
  return flags_value(source.number & width_mask(source.width), type.names, type.unknown);
}

Value show_choice(Scope&, const Type& type, const Source& source) {
  return choice_value(source.number, source.width, type.names, type.unknown);
}

Value show_structure(Scope& scope, const Type& type, const Source& source) {
  Value structure = Value::structure();
  structure.members.reserve(type.fields.size());
  for (const Field& field : type.fields) {
    // A caller may know an older, shorter form of the structure.
    if (field.offset + field.size > source.bytes.size()) break;
    Source part{0, 8, source.bytes.subspan(field.offset, field.size)};
    if (field.size <= sizeof part.number) {
      std::memcpy(&part.number, part.bytes.data(), field.size);
      part.width = static_cast<uint8_t>(field.size);
      if (field.is_signed) part.number = sign_extended(part.number, part.width);
    }
    Value value = field.type->show(scope, *field.type, part);
    if (value.kind == Value::Kind::kAbsent) continue;
    value.is_brief = field.detail == Field::Detail::kBrief;
    structure.add(field.name, std::move(value));
  }
  return structure;
}

Value show_elements(Scope& scope, const Type& type, const Source& source) {
  Value array = Value::array();
  const size_t size = type.element->size;
  const size_t count = source.bytes.size() / size;
  const size_t shown = std::min(count, scope.options().array_elements);
  for (size_t i = 0; i < shown; ++i)
    array.add(scope.show_bytes(*type.element, source.bytes.subspan(i * size, size)));
  array.is_cut = shown < count;
  return array;
}

Value show_characters(Scope&, const Type&, const Source& source) {
  const char* text = reinterpret_cast<const char*>(source.bytes.data());
  return Value::string(std::string(text, strnlen(text, source.bytes.size())));
}

Value show_raw_bytes(Scope&, const Type&, const Source& source) {
  Value value =
      Value::string(std::string(reinterpret_cast<const char*>(source.bytes.data()), source.bytes.size()));
  value.is_hexadecimal = true;
  return value;
}

Value show_nothing(Scope&, const Type&, const Source&) { return {}; }

Value flags_value(uint64_t number, Names names, std::string_view unknown) {
  Value value;
  value.kind = Value::Kind::kFlags;
  value.base = Value::Base::kHex;
  value.number = number;
  value.label = unknown;
  uint64_t rest = number;
  for (const Name& name : names) {
    const uint64_t mask = name.significant();
    // A name for "none of the field's bits" counts once, and a plain zero only when nothing is set.
    const bool matches = mask == 0         ? number == 0
                         : name.value == 0 ? (number & mask) == 0
                                           : (rest & mask) == name.value;
    if (!matches) continue;
    if (!value.text.empty()) value.text += '|';
    value.text += name.text;
    rest &= ~mask;
  }
  value.rest = rest;
  return value;
}

const char* name_of(uint64_t number, unsigned width, Names names) {
  const uint64_t mask = width_mask(width);
  for (const Name& name : names)
    if ((name.value & mask) == (number & mask)) return name.text;
  return nullptr;
}

Value choice_value(uint64_t number, unsigned width, Names names, std::string_view unknown) {
  Value value;
  value.kind = Value::Kind::kEnumerator;
  value.base = Value::Base::kHex;
  value.number = number;
  value.label = unknown;
  if (const char* text = name_of(number, width, names))
    value.text = text;
  else
    value.number &= width_mask(width);
  return value;
}

}  // namespace sandbox::trace
