// Ordering rows, and the forms of a table.
#include "sentry/trace/top_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <ranges>
#include <utility>

namespace sandbox::trace {

namespace {

constexpr size_t kRowsShown = 20;

constexpr std::pair<std::string_view, TopOrder> kOrders[] = {{"calls", TopOrder::kCalls},
                                                             {"errors", TopOrder::kErrors},
                                                             {"latency", TopOrder::kLatency},
                                                             {"time", TopOrder::kTime},
                                                             {"name", TopOrder::kName}};

uint64_t weight_of(const TopRow& row, TopOrder order) {
  switch (order) {
    case TopOrder::kErrors:
      return row.errors;
    case TopOrder::kLatency:
      return row.p99_ns;
    case TopOrder::kTime:
      return row.total_ns;
    default:
      return row.calls;
  }
}

bool comes_before(const TopRow& left, const TopRow& right, TopOrder order) {
  if (order == TopOrder::kName)
    return std::pair(std::string_view(left.program), left.pid) <
           std::pair(std::string_view(right.program), right.pid);
  return weight_of(left, order) > weight_of(right, order);
}

void append_row(std::string& text, const TopRow& row, double seconds) {
  const auto microseconds = [](uint64_t duration_ns) { return static_cast<double>(duration_ns) / 1000; };
  fmt::format_to(std::back_inserter(text),
                 "{:>8} {:>9.0f} {:>9.0f} {:>10.1f} {:>10.1f} {:>10.1f} {:<16} {}\n", row.pid,
                 static_cast<double>(row.calls) / seconds, static_cast<double>(row.errors) / seconds,
                 microseconds(row.p50_ns), microseconds(row.p99_ns), microseconds(row.max_ns),
                 row.most_called, row.program);
}

// The next word of a line.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

template <typename Number>
bool take_number(std::string_view& line, Number& number) {
  const std::string_view word = take_word(line);
  auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
  return failure == std::errc{} && end == word.data() + word.size();
}

bool read_row(std::string_view line, TopRow& row) {
  const bool is_whole = take_number(line, row.pid) && take_number(line, row.calls) &&
                        take_number(line, row.errors) && take_number(line, row.p50_ns) &&
                        take_number(line, row.p99_ns) && take_number(line, row.max_ns) &&
                        take_number(line, row.total_ns);
  row.most_called = take_word(line);
  row.program = line;
  return is_whole;
}

}  // namespace

std::optional<TopOrder> find_top_order(std::string_view name) {
  for (const auto& [known, order] : kOrders)
    if (name == known) return order;
  return std::nullopt;
}

std::optional<TopOrder> find_top_order(char key) {
  for (const auto& [known, order] : kOrders)
    if (key == known.front()) return order;
  return std::nullopt;
}

std::string TopTable::to_text(TopOrder order) const {
  std::vector<const TopRow*> ordered;
  for (const TopRow& row : rows) ordered.push_back(&row);
  std::ranges::stable_sort(
      ordered, [&](const TopRow* left, const TopRow* right) { return comes_before(*left, *right, order); });
  std::string text = fmt::format("{:>8} {:>9} {:>9} {:>10} {:>10} {:>10} {:<16} {}\n", "PID", "calls/s",
                                 "errors/s", "p50 us", "p99 us", "max us", "most called", "program");
  for (const TopRow* row : ordered | std::views::take(kRowsShown)) append_row(text, *row, seconds);
  if (rows.size() > kRowsShown)
    fmt::format_to(std::back_inserter(text), "{:>8} processes more\n", rows.size() - kRowsShown);
  return text;
}

std::string TopTable::to_message() const {
  std::string message;
  for (const TopRow& row : rows)
    fmt::format_to(std::back_inserter(message), "{} {} {} {} {} {} {} {} {}\n", row.pid, row.calls,
                   row.errors, row.p50_ns, row.p99_ns, row.max_ns, row.total_ns, row.most_called,
                   row.program);
  return message += fmt::format("= {}\n", seconds);
}

std::vector<TopTable> TopMessages::take(std::string_view text) {
  std::vector<TopTable> tables;
  unfinished_ += text;
  std::string_view rest = unfinished_;
  for (size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    TopRow row;
    if (!line.starts_with("= ")) {
      if (read_row(line, row)) table_.rows.push_back(std::move(row));
      continue;
    }
    line.remove_prefix(2);
    if (take_number(line, table_.seconds)) tables.push_back(std::move(table_));
    table_ = {};
  }
  unfinished_.erase(0, unfinished_.size() - rest.size());
  return tables;
}

void TopScreen::show(TopTable table) {
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
  draw();
}

void TopScreen::set_order(TopOrder order) {
  std::lock_guard lock(mutex_);
  if (order == order_) return;
  order_ = order;
  if (!table_.rows.empty()) draw();
}

void TopScreen::draw() {
  std::string& text = output_.text();
  if (output_.is_terminal()) text += "\033[H\033[J";
  text += table_.to_text(order_);
  if (!output_.is_terminal()) text += '\n';
  output_.end_record();
}

}  // namespace sandbox::trace
