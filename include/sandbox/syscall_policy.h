// The words of the syscall table's policy column: what becomes of a call, by its number and its registers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "sandbox/syscall_types.h"

namespace sandbox {

// What the filter does with one call.
struct Action {
  enum class Kind : uint8_t {
    kPass,     // the kernel runs it, without a stop
    kPassIds,  // the same, unless the sentry keeps the tasks' ids: then as kEmulate
    kEmulate,  // the sentry's handler answers it
    kExec,     // stops at the tracer on both engines: it changes registers
    kDeny,     // fails with `errno_value`
  };
  Kind kind;
  int errno_value = 0;
  constexpr bool reaches_handler() const { return kind == Kind::kEmulate || kind == Kind::kPassIds; }
  constexpr bool operator==(const Action&) const = default;
};

// A test of one register argument. Only the bits that the kernel looks at are compared: an `int`
// argument's upper half, which a caller may fill as it likes, never matters.
struct Comparison {
  enum class Test : uint8_t { kOneOf, kNoneOf, kAnyBit, kBetween };
  static constexpr size_t kMaxValues = 8;

  std::string_view argument;
  Test test{};
  uint64_t mask = ~uint64_t{0};  // applied before kOneOf and kNoneOf; the bits of kAnyBit
  std::array<uint64_t, kMaxValues> values{};
  uint8_t value_count = 0;
  uint8_t index = 0;  // of the argument; filled in by resolve()
  bool is_32_bit = false;

  constexpr bool holds(uint64_t register_value) const {
    const uint64_t value = is_32_bit ? static_cast<uint32_t>(register_value) : register_value;
    switch (test) {
      case Test::kAnyBit:
        return (value & mask) != 0;
      case Test::kBetween:
        return value >= values[0] && value <= values[1];
      case Test::kOneOf:
        return is_member(value & mask);
      case Test::kNoneOf:
        return !is_member(value & mask);
    }
    return false;
  }

 private:
  constexpr bool is_member(uint64_t value) const {
    for (size_t i = 0; i < value_count; ++i)
      if (values[i] == value) return true;
    return false;
  }
};

// Comparisons that must all hold.
struct Condition {
  static constexpr size_t kMaxComparisons = 3;
  std::array<Comparison, kMaxComparisons> comparisons{};
  size_t count = 0;

  constexpr Condition() = default;
  constexpr Condition(const Comparison& only) : comparisons{only}, count(1) {}
  constexpr bool holds(const std::array<uint64_t, 6>& registers) const {
    for (size_t i = 0; i < count; ++i)
      if (!comparisons[i].holds(registers[comparisons[i].index])) return false;
    return true;
  }
};

struct Rule {
  Condition condition;
  Action action{};
};

// The default action, and the rules tried before it in order; the first that holds decides.
template <size_t rule_count>
struct Policy {
  Action default_action{};
  std::array<Rule, rule_count> rules{};

  // `PASS.unless(arg("offset") == 0, EMULATE)`
  constexpr Policy<rule_count + 1> unless(const Condition& condition, const Policy<0>& outcome) const {
    Policy<rule_count + 1> longer{default_action, {}};
    for (size_t i = 0; i < rule_count; ++i) longer.rules[i] = rules[i];
    longer.rules[rule_count] = {condition, outcome.default_action};
    return longer;
  }
};

// The table is written in these words.
namespace policy_words {

inline constexpr Policy<0> PASS{{Action::Kind::kPass}};
inline constexpr Policy<0> PASS_IDS{{Action::Kind::kPassIds}};
inline constexpr Policy<0> EMULATE{{Action::Kind::kEmulate}};
inline constexpr Policy<0> EXEC{{Action::Kind::kExec}};
constexpr Policy<0> DENY(int errno_value) { return {{Action::Kind::kDeny, errno_value}}; }

struct ArgumentName {
  std::string_view name;
  uint64_t bits = ~uint64_t{0};

  constexpr ArgumentName masked(uint64_t mask) const { return {name, mask}; }
  template <typename... Values>
  constexpr Comparison one_of(Values... values) const {
    static_assert(sizeof...(Values) <= Comparison::kMaxValues);
    return {name, Comparison::Test::kOneOf, bits, {static_cast<uint64_t>(values)...}, sizeof...(Values)};
  }
  constexpr Comparison operator==(uint64_t value) const { return one_of(value); }
  constexpr Comparison operator!=(uint64_t value) const {
    return {name, Comparison::Test::kNoneOf, bits, {value}, 1};
  }
  // At least one bit of `mask` is set.
  constexpr Comparison has_any(uint64_t mask) const { return {name, Comparison::Test::kAnyBit, mask}; }
  // Both ends included; the argument must be one of 32 bits, compared as unsigned.
  constexpr Comparison between(uint32_t low, uint32_t high) const {
    return {name, Comparison::Test::kBetween, ~uint64_t{0}, {low, high}, 2};
  }
};
constexpr ArgumentName arg(std::string_view name) { return {name}; }

constexpr Condition operator&&(Condition left, const Comparison& right) {
  if (left.count == Condition::kMaxComparisons) throw "a condition has too many comparisons";
  left.comparisons[left.count++] = right;
  return left;
}

}  // namespace policy_words

struct SyscallArgument {
  std::string_view name;       // as the man page calls it
  std::string_view type_name;  // "OpenFlags", "Out<struct stat>"
  ArgumentKind kind{};
  uint8_t width = 0;  // bytes of the register that count
  bool is_signed = false;
};

struct SyscallSignature {
  std::string_view text;         // "Fd(PathPtr pathname, OpenFlags flags, Mode mode)"
  std::string_view result_type;  // "Fd"
  std::array<SyscallArgument, 6> arguments{};
  size_t argument_count = 0;
};

namespace detail {

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

constexpr size_t end_of_parameter(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>') --depth;
    if (text[i] == ',' && depth == 0) return i;
  }
  return text.size();
}

template <typename FunctionType>
struct SignatureTypes;
template <typename Returned, typename... Arguments>
struct SignatureTypes<Returned(Arguments...)> {
  static_assert(sizeof...(Arguments) <= 6, "a system call has at most six arguments");
  static constexpr size_t kCount = sizeof...(Arguments);
  static constexpr std::array<SyscallArgument, 6> typed() {
    return {SyscallArgument{
        {}, {}, argument_kind<Arguments>(), argument_width<Arguments>(), argument_is_signed<Arguments>()}...};
  }
};

// Types come from the C++ function type, names from its text: the two are written once.
template <typename FunctionType>
constexpr SyscallSignature read_signature(std::string_view text) {
  SyscallSignature signature{text, trim(text.substr(0, text.find('(')))};
  signature.arguments = SignatureTypes<FunctionType>::typed();
  std::string_view rest = text.substr(text.find('(') + 1);
  rest = trim(rest.substr(0, rest.rfind(')')));
  while (!rest.empty()) {
    const size_t end = end_of_parameter(rest);
    const std::string_view parameter = trim(rest.substr(0, end));
    const size_t space = parameter.rfind(' ');
    if (space == std::string_view::npos) throw "every parameter of a row needs a name";
    SyscallArgument& argument = signature.arguments[signature.argument_count++];
    argument.name = parameter.substr(space + 1);
    argument.type_name = trim(parameter.substr(0, space));
    rest = end == rest.size() ? std::string_view{} : rest.substr(end + 1);
  }
  if (signature.argument_count != SignatureTypes<FunctionType>::kCount)
    throw "the text does not match the type";
  return signature;
}

// Finds the arguments that a policy names and cuts its values to their width.
template <size_t rule_count>
constexpr Policy<rule_count> resolve(Policy<rule_count> policy, const SyscallSignature& signature) {
  for (Rule& rule : policy.rules) {
    for (size_t i = 0; i < rule.condition.count; ++i) {
      Comparison& comparison = rule.condition.comparisons[i];
      size_t index = 0;
      while (index < signature.argument_count && signature.arguments[index].name != comparison.argument)
        ++index;
      if (index == signature.argument_count)
        throw "a rule names an argument that the signature does not have";
      comparison.index = static_cast<uint8_t>(index);
      comparison.is_32_bit = signature.arguments[index].width == 4;
      if (!comparison.is_32_bit && signature.arguments[index].width != 8) throw "only 32 and 64 bits compare";
      if (!comparison.is_32_bit && comparison.test == Comparison::Test::kBetween)
        throw "between needs 32 bits";
      const uint64_t significant = comparison.is_32_bit ? 0xffffffff : ~uint64_t{0};
      comparison.mask &= significant;
      for (uint64_t& value : comparison.values) value &= significant;
    }
  }
  return policy;
}

}  // namespace detail
}  // namespace sandbox
