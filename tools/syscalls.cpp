// `sandbox syscalls`: what the sandbox does with each system call, printed from the syscall table.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sandbox/syscall_table.h"
#include "tools/command_line.h"
#include "tools/json_text.h"
#include "tools/messages.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

std::string value_text(uint64_t value) {
  return value < 256 ? fmt::format("{}", value) : fmt::format("{:#x}", value);
}

// "request & 0xff00 == 0x5400", "option in 1..78", "flags has any of 0x800000".
std::string comparison_text(const Comparison& comparison) {
  const uint64_t whole = comparison.is_32_bit ? 0xffffffff : ~uint64_t{0};
  std::string subject(comparison.argument);
  if (comparison.test == Comparison::Test::kAnyBit)
    return fmt::format("{} has any of {}", subject, value_text(comparison.mask));
  if (comparison.test == Comparison::Test::kBetween)
    return fmt::format("{} in {}..{}", subject, value_text(comparison.values[0]),
                       value_text(comparison.values[1]));
  if (comparison.mask != whole) subject = fmt::format("{} & {:#x}", subject, comparison.mask);
  std::vector<std::string> values;
  for (size_t i = 0; i < comparison.value_count; ++i) values.push_back(value_text(comparison.values[i]));
  const bool is_member = comparison.test == Comparison::Test::kOneOf;
  if (values.size() == 1) return fmt::format("{} {} {}", subject, is_member ? "==" : "!=", values[0]);
  return fmt::format("{} {} {{{}}}", subject, is_member ? "in" : "not in", fmt::join(values, ", "));
}

std::string condition_text(const Condition& condition) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < condition.count; ++i) parts.push_back(comparison_text(condition.comparisons[i]));
  return fmt::format("{}", fmt::join(parts, " and "));
}

void print_table() {
  fmt::print("{:>6}  {:<24}  {:<16}  {}\n", "NUMBER", "NAME", "POLICY", "NOTE");
  for (const SyscallRow& row : syscall_rows()) {
    fmt::print("{:>6}  {:<24}  {:<16}  {}\n", row.number, row.name, policy_word(row), row.note);
    for (const Rule& rule : row.rules)
      fmt::print("{:34}{:<16}  when {}\n", "", action_word(rule.action), condition_text(rule.condition));
    if (!row.rules.empty()) fmt::print("{:34}{:<16}  otherwise\n", "", action_word(row.default_action));
  }
}

void print_markdown() {
  fmt::print("| Number | Name | Policy | Note |\n|---:|---|---|---|\n");
  for (const SyscallRow& row : syscall_rows()) {
    std::string rules;
    for (const Rule& rule : row.rules)
      rules += fmt::format("<br>{} when `{}`", action_word(rule.action), condition_text(rule.condition));
    if (!row.rules.empty()) rules += fmt::format("<br>{} otherwise", action_word(row.default_action));
    fmt::print("| {} | `{}` | {} | {}{} |\n", row.number, row.name, policy_word(row), row.note, rules);
  }
}

void print_json() {
  auto document = nlohmann::ordered_json::array();
  for (const SyscallRow& row : syscall_rows()) {
    auto rules = nlohmann::ordered_json::array();
    for (const Rule& rule : row.rules)
      rules.push_back({{"when", condition_text(rule.condition)}, {"action", action_word(rule.action)}});
    nlohmann::ordered_json entry = {{"number", row.number}, {"name", row.name}, {"policy", policy_word(row)}};
    if (!row.rules.empty()) {
      entry["rules"] = rules;
      entry["otherwise"] = action_word(row.default_action);
    }
    entry["signature"] = row.signature.text;
    entry["note"] = row.note;
    document.push_back(entry);
  }
  fmt::print("{}\n", json_document(document));
}

}  // namespace

int verb_syscalls(int argc, char** argv) {
  std::string format = "table";
  CLI::App app(
      "Print what the sandbox does with every system call of x86-64 Linux.\n\n"
      "EMULATE: the sandbox answers it. EXEC: the sandbox loads the program. PASS: the kernel runs it.\n"
      "PASS_IF: the arguments decide. DENY: it fails with that error. A call not listed fails with ENOSYS.",
      "syscalls");
  set_usage(app, "sandbox syscalls [--format table|md|json]");
  app.add_option("--format", format, "form of the list")->type_name("table|md|json")->capture_default_str();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (format == "table") {
    print_table();
  } else if (format == "md") {
    print_markdown();
  } else if (format == "json") {
    print_json();
  } else {
    return report({.doing = "understand the command line",
                   .reason = fmt::format("{} is none of the values of --format", printable(format)),
                   .advice = "--format table|md|json"});
  }
  return 0;
}

}  // namespace sandbox::tools
