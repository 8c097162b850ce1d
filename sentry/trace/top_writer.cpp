// Counting for a second, and writing the table.
#include "sentry/trace/top_writer.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "sentry/trace/jsonl_writer.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

void TopWriter::on_call(const CallEvent& event) {
  const uint64_t now_ns = event.time_ns + event.duration_ns;
  if (begin_ns_ == 0) begin_ns_ = event.time_ns;
  last_ns_ = std::max(last_ns_, now_ns);
  if (now_ns >= begin_ns_ + kInterval_ns) write_table(now_ns);
  Row& row = rows_[event.thread.pid];
  ++row.calls;
  ++row.by_call[name_of_call(event.call)];
  if (event.call.result && event.call.result->error) ++row.errors;
  if (event.end == CallEnd::kReturned) row.latencies.add(event.duration_ns);
  const bool is_exec = event.call.number == SYS_execve || event.call.number == SYS_execveat;
  if (!is_exec || !event.call.result || event.call.result->error) return;
  if (const Value* path = find_value(event.call, "pathname")) programs_[event.thread.pid] = to_text(*path);
}

void TopWriter::on_death(const DeathEvent& event) {
  if (event.thread.tid == event.thread.pid && !rows_.contains(event.thread.pid))
    programs_.erase(event.thread.pid);
}

void TopWriter::end(const TraceTotals&) {
  if (!rows_.empty()) write_table(last_ns_);
}

void TopWriter::write_table(uint64_t now_ns) {
  std::vector<std::pair<pid_t, const Row*>> rows;
  for (const auto& [pid, row] : rows_) rows.emplace_back(pid, &row);
  std::ranges::stable_sort(
      rows, [](const auto& left, const auto& right) { return left.second->calls > right.second->calls; });
  const double seconds = static_cast<double>(std::max<uint64_t>(now_ns - begin_ns_, 1)) / 1e9;
  std::string& text = output_.text();
  auto to = std::back_inserter(text);
  if (output_.is_terminal()) text += "\033[H\033[J";
  fmt::format_to(to, "{:>8} {:>9} {:>9} {:>10} {:>10} {:>10} {:<16} {}\n", "PID", "calls/s", "errors/s",
                 "p50 us", "p99 us", "max us", "most called", "program");
  for (size_t i = 0; i < std::min(rows.size(), kRows); ++i) {
    const auto& [pid, row] = rows[i];
    const auto busiest =
        std::ranges::max_element(row->by_call, {}, [](const auto& entry) { return entry.second; });
    const auto microseconds = [](uint64_t duration_ns) { return static_cast<double>(duration_ns) / 1000; };
    auto program = programs_.find(pid);
    fmt::format_to(to, "{:>8} {:>9.0f} {:>9.0f} {:>10.1f} {:>10.1f} {:>10.1f} {:<16} {}\n", pid,
                   static_cast<double>(row->calls) / seconds, static_cast<double>(row->errors) / seconds,
                   microseconds(row->latencies.percentile_ns(0.5)),
                   microseconds(row->latencies.percentile_ns(0.99)), microseconds(row->latencies.max_ns()),
                   busiest->first, program != programs_.end() ? program->second : "");
  }
  if (rows.size() > kRows) fmt::format_to(to, "{:>8} processes more\n", rows.size() - kRows);
  if (!output_.is_terminal()) text += '\n';
  output_.end_record();
  rows_.clear();
  begin_ns_ = now_ns;
}

}  // namespace sandbox::trace
