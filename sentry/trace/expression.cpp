// A recursive-descent parser and a walk of its tree.
#include "sentry/trace/expression.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <array>
#include <charconv>
#include <vector>

namespace sandbox::trace {

namespace {

// Nothing: what the call does not have.
using Operand = std::variant<std::monostate, int64_t, std::string>;

enum class Operator : uint8_t {
  kNumber,
  kText,
  kResult,
  kErrno,
  kDuration,
  kPid,
  kTid,
  kCall,
  kArgument,
  kNot,
  kInvert,
  kNegate,
  kOr,
  kAnd,
  kEqual,
  kUnequal,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kMatches,
  kBitOr,
  kBitXor,
  kBitAnd,
  kShiftLeft,
  kShiftRight,
  kAdd,
  kSubtract,
};

struct BinaryOperator {
  std::string_view text;
  Operator operation;
  int level;
};
// Longer spellings before their prefixes.
constexpr BinaryOperator kBinary[] = {
    {"||", Operator::kOr, 0},         {"&&", Operator::kAnd, 1},         {"==", Operator::kEqual, 2},
    {"!=", Operator::kUnequal, 2},    {"=~", Operator::kMatches, 2},     {"<<", Operator::kShiftLeft, 6},
    {">>", Operator::kShiftRight, 6}, {"<=", Operator::kLessOrEqual, 2}, {">=", Operator::kGreaterOrEqual, 2},
    {"<", Operator::kLess, 2},        {">", Operator::kGreater, 2},      {"|", Operator::kBitOr, 3},
    {"^", Operator::kBitXor, 4},      {"&", Operator::kBitAnd, 5},       {"+", Operator::kAdd, 7},
    {"-", Operator::kSubtract, 7},
};
constexpr int kTightest = 7;
constexpr int kMaxDepth = 64;

struct Keyword {
  std::string_view text;
  Operator operation;
};
constexpr Keyword kKeywords[] = {
    {"ret", Operator::kResult}, {"errno", Operator::kErrno}, {"duration", Operator::kDuration},
    {"pid", Operator::kPid},    {"tid", Operator::kTid},     {"call", Operator::kCall},
};

bool is_word(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
         (letter >= '0' && letter <= '9');
}

}  // namespace

struct Expression::Node {
  Operator operation{};
  int64_t number = 0;
  std::string text;                  // kText; kArgument: the path after the call's name
  const SyscallRow* only = nullptr;  // kArgument: of this call only
  std::unique_ptr<const Node> left, right;
};

namespace {

using Node = Expression::Node;
using NodePtr = std::unique_ptr<Node>;
using Parsed = std::expected<NodePtr, std::string>;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Parsed parse() {
    Parsed node = binary(0);
    if (!node) return node;
    skip_space();
    if (at_ < text_.size()) return error("an operator");
    return node;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  std::unexpected<std::string> error(std::string_view expected) const {
    std::string_view rest = text_.substr(at_);
    return std::unexpected(rest.empty() ? fmt::format("it ends where {} should be", expected)
                                        : fmt::format("{} should be where `{}` is", expected, rest));
  }

  const BinaryOperator* next_binary(int level) {
    skip_space();
    for (const BinaryOperator& candidate : kBinary) {
      if (!text_.substr(at_).starts_with(candidate.text)) continue;
      return candidate.level == level ? &candidate : nullptr;
    }
    return nullptr;
  }

  Parsed binary(int level) {
    if (level > kTightest) return unary();
    Parsed left = binary(level + 1);
    while (left) {
      const BinaryOperator* found = next_binary(level);
      if (found == nullptr) return left;
      at_ += found->text.size();
      Parsed right = binary(level + 1);
      if (!right) return right;
      auto node = std::make_unique<Node>();
      node->operation = found->operation;
      node->left = *std::move(left);
      node->right = *std::move(right);
      left = std::move(node);
    }
    return left;
  }

  Parsed unary() {
    skip_space();
    if (++depth_ > kMaxDepth) return std::unexpected("it is nested too deeply");
    Parsed node = unary_at_depth();
    --depth_;
    return node;
  }

  Parsed unary_at_depth() {
    constexpr std::pair<char, Operator> kUnary[] = {
        {'!', Operator::kNot}, {'~', Operator::kInvert}, {'-', Operator::kNegate}};
    for (auto [letter, operation] : kUnary) {
      if (at_ >= text_.size() || text_[at_] != letter) continue;
      ++at_;
      Parsed operand = unary();
      if (!operand) return operand;
      auto node = std::make_unique<Node>();
      node->operation = operation;
      node->left = *std::move(operand);
      return node;
    }
    return primary();
  }

  Parsed primary() {
    if (at_ >= text_.size()) return error("a value");
    const char first = text_[at_];
    if (first == '(') {
      ++at_;
      Parsed inner = binary(0);
      if (!inner) return inner;
      skip_space();
      if (at_ >= text_.size() || text_[at_] != ')') return error("`)`");
      ++at_;
      return inner;
    }
    if (first == '"' || first == '\'') return quoted(first);
    if (first >= '0' && first <= '9') return number();
    if (is_word(first)) return name();
    return error("a value");
  }

  Parsed quoted(char quote) {
    auto node = std::make_unique<Node>();
    node->operation = Operator::kText;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      node->text += text_[at_];
    }
    if (at_ >= text_.size()) return error("the closing quote");
    ++at_;
    return node;
  }

  Parsed number() {
    std::string_view rest = text_.substr(at_);
    int base = 10;
    size_t prefix = 0;
    if (rest.starts_with("0x") || rest.starts_with("0X")) {
      base = 16;
      prefix = 2;
    } else if (rest.size() > 1 && rest[0] == '0' && is_word(rest[1])) {
      base = 8;
      prefix = 1;
    }
    uint64_t value = 0;
    auto [end, failure] = std::from_chars(rest.data() + prefix, rest.data() + rest.size(), value, base);
    if (failure != std::errc{}) return error("a number");
    size_t length = static_cast<size_t>(end - rest.data());
    size_t unit_end = length;
    while (unit_end < rest.size() && is_word(rest[unit_end])) ++unit_end;
    std::string_view unit = rest.substr(length, unit_end - length);
    constexpr std::pair<std::string_view, uint64_t> kUnits[] = {
        {"", 1}, {"ns", 1}, {"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};
    for (auto [suffix, factor] : kUnits) {
      if (unit != suffix) continue;
      at_ += unit_end;
      auto node = std::make_unique<Node>();
      node->operation = Operator::kNumber;
      node->number = static_cast<int64_t>(value * factor);
      return node;
    }
    return error("a number, perhaps with us, ms or s behind it,");
  }

  Parsed name() {
    size_t end = at_;
    while (end < text_.size() && (is_word(text_[end]) || text_[end] == '.')) ++end;
    std::string_view word = text_.substr(at_, end - at_);
    auto node = std::make_unique<Node>();
    for (const Keyword& keyword : kKeywords) {
      if (word != keyword.text) continue;
      at_ = end;
      node->operation = keyword.operation;
      return node;
    }
    if (auto constant = find_constant(word)) {
      at_ = end;
      node->operation = Operator::kNumber;
      node->number = *constant;
      return node;
    }
    return argument(std::move(node), word, end);
  }

  Parsed argument(NodePtr node, std::string_view word, size_t end) {
    node->operation = Operator::kArgument;
    size_t dot = word.find('.');
    if (dot != std::string_view::npos) {
      node->only = find_syscall(word.substr(0, dot));
      if (node->only != nullptr) word.remove_prefix(dot + 1);
    }
    std::string_view first = word.substr(0, word.find('.'));
    bool is_known = false;
    for (const SyscallRow& row : syscall_rows()) {
      if (node->only != nullptr && node->only != &row) continue;
      for (const SyscallArgument& argument : row.arguments()) is_known |= argument.name == first;
    }
    if (!is_known && node->only != nullptr) {
      return std::unexpected(fmt::format("{} has no argument `{}`; it is {}", node->only->name, first,
                                         node->only->signature.text));
    }
    if (!is_known) return error("the name of an argument or a constant");
    node->text = word;
    at_ = end;
    return node;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

bool is_true(const Operand& operand) {
  if (const auto* number = std::get_if<int64_t>(&operand)) return *number != 0;
  if (const auto* text = std::get_if<std::string>(&operand)) return !text->empty();
  return false;
}

Operand argument_of(const Node& node, const CallEvent& event) {
  if (node.only != nullptr && event.call.row != node.only) return {};
  const Value* value = find_value(event.call, node.text);
  if (value == nullptr) return {};
  auto text = value->as_string();
  if (text && value->kind != Value::Kind::kDescriptor) return std::string(*text);
  if (auto number = value->as_integer()) return *number;
  if (value->kind == Value::Kind::kAddress) return static_cast<int64_t>(value->number);
  return {};
}

Operand leaf(const Node& node, const CallEvent& event) {
  switch (node.operation) {
    case Operator::kNumber:
      return node.number;
    case Operator::kText:
      return node.text;
    case Operator::kResult:
      if (!event.call.result) return {};
      return event.call.result->number < 0 && event.call.result->error ? int64_t{-1}
                                                                       : event.call.result->number;
    case Operator::kErrno:
      if (!event.call.result) return {};
      return event.call.result->error ? int64_t{event.call.result->error->value()} : int64_t{0};
    case Operator::kDuration:
      if (event.end != CallEnd::kReturned) return {};
      return static_cast<int64_t>(event.duration_ns);
    case Operator::kPid:
      return int64_t{event.thread.pid};
    case Operator::kTid:
      return int64_t{event.thread.tid};
    case Operator::kCall:
      if (event.call.row == nullptr) return {};
      return std::string(event.call.row->name);
    default:
      return argument_of(node, event);
  }
}

Operand of_numbers(Operator operation, int64_t left, int64_t right) {
  // Unsigned: it wraps instead of being undefined.
  const auto a = static_cast<uint64_t>(left), b = static_cast<uint64_t>(right);
  switch (operation) {
    case Operator::kEqual:
      return int64_t{left == right};
    case Operator::kUnequal:
      return int64_t{left != right};
    case Operator::kLess:
      return int64_t{left < right};
    case Operator::kLessOrEqual:
      return int64_t{left <= right};
    case Operator::kGreater:
      return int64_t{left > right};
    case Operator::kGreaterOrEqual:
      return int64_t{left >= right};
    case Operator::kBitOr:
      return static_cast<int64_t>(a | b);
    case Operator::kBitXor:
      return static_cast<int64_t>(a ^ b);
    case Operator::kBitAnd:
      return static_cast<int64_t>(a & b);
    case Operator::kShiftLeft:
      return b < 64 ? static_cast<int64_t>(a << b) : int64_t{0};
    case Operator::kShiftRight:
      return b < 64 ? static_cast<int64_t>(a >> b) : int64_t{0};
    case Operator::kAdd:
      return static_cast<int64_t>(a + b);
    case Operator::kSubtract:
      return static_cast<int64_t>(a - b);
    default:
      return {};
  }
}

Operand of_texts(Operator operation, const std::string& left, const std::string& right) {
  switch (operation) {
    case Operator::kEqual:
      return int64_t{left == right};
    case Operator::kUnequal:
      return int64_t{left != right};
    case Operator::kMatches:
      return int64_t{::fnmatch(right.c_str(), left.c_str(), 0) == 0};
    default:
      return {};
  }
}

Operand evaluate(const Node& node, const CallEvent& event) {
  if (node.left == nullptr) return leaf(node, event);
  Operand left = evaluate(*node.left, event);
  if (node.operation == Operator::kOr) {
    return int64_t{is_true(left) || is_true(evaluate(*node.right, event))};
  }
  if (std::holds_alternative<std::monostate>(left)) return {};
  if (node.operation == Operator::kNot) return int64_t{!is_true(left)};
  if (node.operation == Operator::kAnd) {
    return int64_t{is_true(left) && is_true(evaluate(*node.right, event))};
  }
  if (node.right == nullptr) {
    const auto* number = std::get_if<int64_t>(&left);
    if (number == nullptr) return {};
    const auto bits = static_cast<uint64_t>(*number);
    return static_cast<int64_t>(node.operation == Operator::kInvert ? ~bits : 0 - bits);
  }
  Operand right = evaluate(*node.right, event);
  const auto *left_number = std::get_if<int64_t>(&left), *right_number = std::get_if<int64_t>(&right);
  if (left_number && right_number) return of_numbers(node.operation, *left_number, *right_number);
  const auto *left_text = std::get_if<std::string>(&left), *right_text = std::get_if<std::string>(&right);
  if (left_text && right_text) return of_texts(node.operation, *left_text, *right_text);
  return {};
}

// Whether the node's value can be something for a call of that row.
bool has_value(const Node& node, const SyscallRow* row) {
  if (node.operation == Operator::kOr) return has_value(*node.left, row) || has_value(*node.right, row);
  if (node.left != nullptr)
    return has_value(*node.left, row) && (node.right == nullptr || has_value(*node.right, row));
  if (node.operation != Operator::kArgument) return true;
  if (row == nullptr) return false;
  if (node.only != nullptr) return node.only->number == row->number;
  std::string_view first = std::string_view(node.text).substr(0, node.text.find('.'));
  for (const SyscallArgument& argument : row->arguments())
    if (argument.name == first) return true;
  return false;
}

}  // namespace

Expression::Expression(std::unique_ptr<const Node> root) : root_(std::move(root)) {}
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

std::expected<Expression, std::string> Expression::parse(std::string_view text) {
  auto root = Parser(text).parse();
  if (!root) return std::unexpected(root.error());
  return Expression(*std::move(root));
}

bool Expression::holds(const CallEvent& event) const { return is_true(evaluate(*root_, event)); }

bool Expression::can_hold_for(const SyscallRow* row) const { return has_value(*root_, row); }

}  // namespace sandbox::trace
