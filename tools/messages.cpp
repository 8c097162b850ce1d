// Messages in text or JSON, and the log's set-up.
#include "tools/messages.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "tools/json_text.h"

namespace sandbox::tools {
namespace {

LogFormat log_format = LogFormat::kText;

// One log record as one line: `sandbox: warning: ...` or a JSON object.
class LineFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& record, spdlog::memory_buf_t& line) override {
    std::string_view level(spdlog::level::to_string_view(record.level).data(),
                           spdlog::level::to_string_view(record.level).size());
    std::string_view text(record.payload.data(), record.payload.size());
    std::string formatted;
    if (log_format == LogFormat::kJson) {
      auto since_epoch = std::chrono::duration<double>(record.time.time_since_epoch()).count();
      formatted = fmt::format("{{\"time\":{:.6f},\"level\":\"{}\",\"message\":{}}}\n", since_epoch, level,
                              json_string(text));
    } else {
      formatted = fmt::format("sandbox: {}: {}\n", level, text);
    }
    line.append(formatted.data(), formatted.data() + formatted.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(); }
};

// Length of the well-formed UTF-8 sequence at the start of `bytes`; 0 when there is none.
size_t utf8_length(std::string_view bytes) {
  auto byte = [&](size_t index) { return static_cast<unsigned char>(bytes[index]); };
  size_t length = byte(0) < 0x80                       ? 1
                  : byte(0) >= 0xc2 && byte(0) <= 0xdf ? 2
                  : (byte(0) & 0xf0) == 0xe0           ? 3
                  : byte(0) >= 0xf0 && byte(0) <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || length > bytes.size()) return 0;
  for (size_t index = 1; index < length; ++index)
    if ((byte(index) & 0xc0) != 0x80) return 0;
  if (length == 3 && byte(0) == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (length == 3 && byte(0) == 0xed && byte(1) > 0x9f) return 0;  // surrogate
  if (length == 4 && byte(0) == 0xf0 && byte(1) < 0x90) return 0;
  if (length == 4 && byte(0) == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

// C0, DEL, C1 controls and the marks that reorder text on a screen.
bool steers_terminal(std::string_view sequence) {
  auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f || first == '\\';
  if (sequence.size() == 2) return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
  return sequence >= "\xe2\x80\xa8" && sequence <= "\xe2\x80\xae";
}

}  // namespace

bool set_up_log(std::string_view level, LogFormat format) {
  constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warn", "error", "off"};
  if (std::ranges::find(kLevels, level) == std::end(kLevels)) return false;
  log_format = format;
  auto logger =
      std::make_shared<spdlog::logger>("sandbox", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>());
  logger->set_level(spdlog::level::from_str(std::string(level)));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

std::string reason_of(Errno error) { return fmt::format("{} ({})", error.text(), error.name()); }

int report(const RunFailure& failure) {
  std::string text;
  if (log_format == LogFormat::kJson) {
    text = fmt::format("{{\"level\":\"error\",\"doing\":{},\"reason\":{},\"advice\":{},\"exit_code\":{}}}\n",
                       json_string(failure.doing), json_string(failure.reason), json_string(failure.advice),
                       failure.exit_code);
  } else {
    text = fmt::format("sandbox: cannot {}: {}\n", failure.doing, failure.reason);
    if (!failure.advice.empty()) text += fmt::format("try: {}\n", failure.advice);
  }
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return failure.exit_code;
}

void report_memory_kill(const cgroup::MemoryKill& kill) {
  std::string limit = "a limit above the sandbox's own, or the host's memory, is used up";
  if (kill.limit_bytes)
    limit = fmt::format("the limit of {} (--memory) is reached", size_in_words(*kill.limit_bytes));
  std::string peak = kill.peak_bytes ? fmt::format(", peak use {}", size_in_words(*kill.peak_bytes)) : "";
  report({.doing = "give the program more memory",
          .reason = fmt::format("{}{}; the kernel killed {} process{}", limit, peak, kill.count,
                                kill.count == 1 ? "" : "es"),
          .advice = kill.limit_bytes ? "a larger --memory" : "less memory for other programs"});
}

void warn(std::string_view text) { spdlog::warn("{}", text); }

unsigned edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::vector<unsigned>> cost(from.size() + 1, std::vector<unsigned>(to.size() + 1));
  for (unsigned row = 0; row <= from.size(); ++row) cost[row][0] = row;
  for (unsigned column = 0; column <= to.size(); ++column) cost[0][column] = column;
  for (unsigned row = 1; row <= from.size(); ++row) {
    for (unsigned column = 1; column <= to.size(); ++column) {
      unsigned replaced = cost[row - 1][column - 1] + (from[row - 1] == to[column - 1] ? 0 : 1);
      unsigned& best = cost[row][column];
      best = std::min({cost[row - 1][column] + 1, cost[row][column - 1] + 1, replaced});
      bool is_swap =
          row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
      if (is_swap) best = std::min(best, cost[row - 2][column - 2] + 1);
    }
  }
  return cost[from.size()][to.size()];
}

std::string size_in_words(uint64_t bytes) {
  constexpr uint64_t kStep = 1024;
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  for (; value >= kStep && unit + 1 < std::size(kUnits); ++unit) value /= kStep;
  std::string number = fmt::format("{:.1f}", value);
  if (number.ends_with(".0")) number.resize(number.size() - 2);
  return fmt::format("{} {}", number, kUnits[unit]);
}

std::string printable(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    size_t length = utf8_length(name);
    std::string_view sequence = name.substr(0, std::max<size_t>(length, 1));
    if (length == 0 || steers_terminal(sequence)) {
      for (char byte : sequence) text += fmt::format("\\{:03o}", static_cast<unsigned char>(byte));
    } else {
      text += sequence;
    }
    name.remove_prefix(sequence.size());
  }
  return text;
}

}  // namespace sandbox::tools
