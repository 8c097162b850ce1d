// The record's lines.
#include "sentry/lifecycle/sandbox_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "platform/host_file.h"
#include "sandbox/numbers.h"
#include "sandbox/process_stat.h"

namespace sandbox::lifecycle {

namespace {

// Blanks separate values and newlines end them, so inside they are written as mountinfo writes them.
std::string escaped(std::string_view text) {
  std::string line;
  for (unsigned char byte : text) {
    if (byte <= ' ' || byte == '\\' || byte == 0x7f)
      line += fmt::format("\\{:03o}", byte);
    else
      line += static_cast<char>(byte);
  }
  return line;
}

std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    const char* digits = text.data() + at + 1;
    if (text[at] == '\\' && at + 3 < text.size() &&
        std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
      plain += static_cast<char>(code);
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

void take(SandboxRecord& record, std::string_view word, const std::vector<std::string>& values) {
  if (word == "argv") {
    record.argv = values;
    return;
  }
  if (values.empty()) return;
  if (word == "name") record.name = values[0];
  if (word == "group") record.groups.push_back(values[0]);
  if (word == "started") record.started_s = parse_number<int64_t>(values[0]).value_or(0);
  if (word == "trace-signal") record.trace_signal = parse_number<int>(values[0]).value_or(0);
  if (values.size() < 2) return;
  if (word == "owner") {
    record.owner = parse_number<pid_t>(values[0]).value_or(0);
    record.owner_start = parse_number<uint64_t>(values[1]).value_or(0);
  }
  if (word == "running") {
    record.init = parse_number<pid_t>(values[0]).value_or(0);
    record.program = parse_number<pid_t>(values[1]).value_or(0);
  }
}

}  // namespace

std::string SandboxRecord::group_name() const {
  return fmt::format("sandbox-{}-{}.{}", name, owner, owner_start);
}

SandboxRecord SandboxRecord::parse(std::string_view text) {
  SandboxRecord record;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    std::string_view line = text.substr(0, end);
    std::vector<std::string> values;
    size_t blank = line.find(' ');
    std::string_view word = line.substr(0, blank);
    while (blank != std::string_view::npos) {
      size_t next = line.find(' ', blank + 1);
      values.push_back(
          unescaped(line.substr(blank + 1, next == std::string_view::npos ? next : next - blank - 1)));
      blank = next;
    }
    take(record, word, values);
  }
  return record;
}

std::string record_line(std::string_view word, std::string_view value) {
  return fmt::format("{} {}\n", word, escaped(value));
}

std::string record_words(std::string_view word, const std::vector<std::string>& values) {
  std::string line(word);
  for (const std::string& value : values) line += ' ' + escaped(value);
  return line + '\n';
}

Result<uint64_t> start_time_of(pid_t pid) {
  auto text = platform::read_host_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return err(ESRCH);
  auto ticks = parse_number<uint64_t>(stat_field(*text, StatField::kStartTicks));
  if (!ticks) return err(ENODATA);
  return *ticks;
}

bool is_alive(pid_t pid, uint64_t start_time) {
  if (pid <= 0) return false;
  auto text = platform::read_host_file(fmt::format("/proc/{}/stat", pid));
  if (!text || parse_number<uint64_t>(stat_field(*text, StatField::kStartTicks)) != start_time) return false;
  const std::string_view state = stat_field(*text, StatField::kState);
  return state != "Z" && state != "X";
}

bool is_valid_name(std::string_view name) {
  constexpr size_t kLongest = 64;
  auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kLongest && is_word(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return is_word(c) || c == '_' || c == '.' || c == '-'; });
}

std::string name_without_name(pid_t owner) { return fmt::format("@{}", owner); }

}  // namespace sandbox::lifecycle
