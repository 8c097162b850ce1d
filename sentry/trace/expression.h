// Expression: the conditions of `--where`, over a call's arguments and its result.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "sentry/trace/event.h"

namespace sandbox::trace {

// From loosest to tightest: ||  &&  == != < <= > >= =~  |  ^  &  << >>  + -  ! ~ -. Unlike C, & binds
// tighter than ==. Operands:
//   17, 0x1f, 0644, 10ms (us, ms, s: nanoseconds), "text", O_CREAT (any constant the decoder knows)
//   ret, errno, duration (ns), pid, tid, call     of the call itself
//   flags, addr.sin_port, iov.0.iov_len           an argument by name, or a field of it
//   openat.flags                                  the same, of this call only
// `=~` matches a string with a glob. What a call does not have makes everything it is used in false, also
// behind `!`.
class Expression {
 public:
  // The error says what is wrong and where.
  static std::expected<Expression, std::string> parse(std::string_view text);

  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;
  ~Expression();

  bool holds(const CallEvent& event) const;
  // Whether a call of that row (null: of a number without one) could ever make it true, judged by what it
  // names.
  bool can_hold_for(const SyscallRow* row) const;

  struct Node;

 private:
  explicit Expression(std::unique_ptr<const Node> root);
  std::unique_ptr<const Node> root_;
};

}  // namespace sandbox::trace
