// Printing values as JSON.
#include "sentry/trace/json.h"

#include "sentry/trace/digits.h"

namespace sandbox::trace {
namespace {

constexpr int64_t kLargestExact = int64_t{1} << 53;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_key(std::string& out, std::string_view key, bool& is_first) {
  if (!is_first) out += ',';
  is_first = false;
  append_json_string(out, key);
  out += ':';
}

void append_hex_text(std::string& out, uint64_t number) {
  out += '"';
  append_hex(out, number);
  out += '"';
}

void append_integer(std::string& out, const Value& value) {
  const bool is_signed = value.base == Value::Base::kSigned;
  const int64_t number = static_cast<int64_t>(value.number);
  const bool is_exact = is_signed ? number <= kLargestExact && number >= -kLargestExact
                                  : value.number <= static_cast<uint64_t>(kLargestExact);
  if (!is_exact)
    append_hex_text(out, value.number);
  else
    append_decimal(out, number);
}

void append_raw_number(std::string& out, const Value& value) {
  Value number = Value::natural(value.number);
  if (static_cast<int64_t>(value.number) < 0) number.base = Value::Base::kSigned;
  append_integer(out, number);
}

void append_string_value(std::string& out, const Value& value) {
  const bool is_text = !value.is_hexadecimal && is_utf8(value.text);
  if (value.is_abstract && is_text) return append_json_string(out, "@" + value.text);
  if (is_text && !value.is_cut) return append_json_string(out, value.text);
  out += is_text ? "{\"text\":" : "{\"hex\":";
  if (is_text) {
    append_json_string(out, value.text);
  } else {
    out += '"';
    for (char byte : value.text) append_hex_byte(out, static_cast<unsigned char>(byte));
    out += '"';
  }
  if (value.is_cut && value.number > value.text.size())
    append_natural(out += ",\"length\":", value.number);
  else if (value.is_cut)
    out += ",\"more\":true";
  out += '}';
}

void append_flags(std::string& out, const Value& value) {
  out += "{\"value\":";
  append_raw_number(out, value);
  out += ",\"names\":[";
  std::string_view names = value.text;
  for (bool is_first = true; !names.empty(); is_first = false) {
    if (!is_first) out += ',';
    const size_t end = names.find('|');
    append_json_string(out, names.substr(0, end));
    names = end == std::string_view::npos ? std::string_view{} : names.substr(end + 1);
  }
  out += ']';
  if (value.rest != 0) {
    out += ",\"rest\":";
    append_integer(out, Value::natural(value.rest));
  }
  out += '}';
}

void append_enumerator(std::string& out, const Value& value) {
  out += "{\"value\":";
  append_raw_number(out, value);
  if (!value.text.empty()) {
    out += ",\"name\":";
    append_json_string(out, value.text);
  }
  out += '}';
}

void append_items(std::string& out, const Value& value) {
  out += '[';
  for (size_t i = 0; i < value.members.size(); ++i) {
    if (i != 0) out += ',';
    append_json(out, value.members[i]);
  }
  out += ']';
}

void append_object(std::string& out, const Value& value) {
  bool is_first = true;
  out += '{';
  for (const Value& member : value.members) {
    if (member.kind == Value::Kind::kAbsent) continue;
    append_key(out, member.name.empty() ? "note" : member.name, is_first);
    append_json(out, member);
  }
  if (value.is_cut) out += is_first ? "\"more\":true" : ",\"more\":true";
  out += '}';
}

void append_descriptor(std::string& out, const Value& value) {
  append_decimal(out += "{\"fd\":", static_cast<int64_t>(value.number));
  if (!value.text.empty()) {
    out += ",\"path\":";
    append_json_string(out, value.text);
  }
  out += '}';
}

}  // namespace

size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  if (byte(0) == 0xe0 && second < 0xa0) return 0;  // overlong
  if (byte(0) == 0xed && second > 0x9f) return 0;  // surrogates
  if (byte(0) == 0xf0 && second < 0x90) return 0;  // overlong
  if (byte(0) == 0xf4 && second > 0x8f) return 0;  // above U+10FFFF
  return length;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    const char first = text[0];
    if (length == 0)
      out += "\xef\xbf\xbd";
    else if (first == '"' || first == '\\')
      (out += '\\') += first;
    else if (static_cast<unsigned char>(first) < 0x20 || first == 0x7f)
      append_hex_byte(out += "\\u00", static_cast<unsigned char>(first));
    else
      out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_json(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::kAbsent:
    case Value::Kind::kPending:
      out += "null";
      return;
    case Value::Kind::kInteger:
      return append_integer(out, value);
    case Value::Kind::kAddress:
      if (value.number == 0)
        out += "null";
      else
        append_hex_text(out, value.number);
      return;
    case Value::Kind::kString:
      return append_string_value(out, value);
    case Value::Kind::kFlags:
      return append_flags(out, value);
    case Value::Kind::kEnumerator:
      return append_enumerator(out, value);
    case Value::Kind::kStructure:
    case Value::Kind::kRemarks:
      return append_object(out, value);
    case Value::Kind::kArray:
      if (value.is_cut) out += "{\"items\":";
      append_items(out, value);
      if (value.is_cut) out += ",\"more\":true}";
      return;
    case Value::Kind::kSet:
      out += value.is_inverted ? "{\"all_but\":" : "{\"set\":";
      append_items(out, value);
      if (value.is_cut) out += ",\"more\":true";
      out += '}';
      return;
    case Value::Kind::kDescriptor:
      return append_descriptor(out, value);
    case Value::Kind::kExpression:
      if (!value.members.empty()) return append_json(out, value.members[0]);
      out += "{\"text\":";
      append_json_string(out, value.text);
      out += '}';
      return;
    case Value::Kind::kChange:
      out += "{\"before\":";
      append_json(out, value.members[0]);
      out += ",\"after\":";
      append_json(out, value.members[1]);
      out += '}';
      return;
  }
}

std::string to_json(const Value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

}  // namespace sandbox::trace
