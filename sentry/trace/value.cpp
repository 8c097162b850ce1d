// Making values and finding their parts.
#include "sentry/trace/value.h"

#include "sandbox/numbers.h"

namespace sandbox::trace {

Value Value::string(std::string bytes) {
  Value value = of(Kind::kString, Base::kUnsigned, bytes.size());
  value.text = std::move(bytes);
  return value;
}

Value Value::expression(std::string text, Value plain) {
  Value value = of(Kind::kExpression, plain.base, plain.number);
  value.text = std::move(text);
  value.members.push_back(std::move(plain));
  return value;
}

Value Value::word(std::string_view text) {
  Value value = of(Kind::kExpression, Base::kSigned, 0);
  value.text = text;
  return value;
}

const Value* Value::member(std::string_view field) const {
  if (kind == Kind::kChange) return members.back().member(field);
  for (const Value& candidate : members)
    if (!candidate.name.empty() && candidate.name == field) return &candidate;
  if (kind != Kind::kArray) return nullptr;
  if (auto index = parse_number<size_t>(field)) return *index < members.size() ? &members[*index] : nullptr;
  return members.size() == 1 ? members[0].member(field) : nullptr;
}

std::optional<int64_t> Value::as_integer() const {
  switch (kind) {
    case Kind::kInteger:
    case Kind::kFlags:
    case Kind::kEnumerator:
    case Kind::kDescriptor:
    case Kind::kAddress:
      return static_cast<int64_t>(number);
    case Kind::kExpression:
      return members.empty() ? std::nullopt : members[0].as_integer();
    case Kind::kChange:
      return members.back().as_integer();
    case Kind::kArray:
      return members.size() == 1 ? members[0].as_integer() : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<std::string_view> Value::as_string() const {
  switch (kind) {
    case Kind::kString:
    case Kind::kDescriptor:
      return text;
    case Kind::kExpression:
      return members.empty() ? std::optional<std::string_view>(text) : members[0].as_string();
    case Kind::kChange:
      return members.back().as_string();
    default:
      return std::nullopt;
  }
}

}  // namespace sandbox::trace
