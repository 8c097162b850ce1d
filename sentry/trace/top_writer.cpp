// Counting for a second.
#include "sentry/trace/top_writer.h"

#include <sys/syscall.h>

#include <algorithm>

#include "sentry/trace/jsonl_writer.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

void TopWriter::on_call(const CallEvent& event) {
  const uint64_t now_ns = event.time_ns + event.duration_ns;
  if (begin_ns_ == 0) begin_ns_ = event.time_ns;
  last_ns_ = std::max(last_ns_, now_ns);
  if (now_ns >= begin_ns_ + kInterval_ns) show_table(now_ns);
  Row& row = rows_[event.thread.pid];
  ++row.calls;
  ++row.by_call[name_of_call(event.call)];
  if (event.call.result && event.call.result->error) ++row.errors;
  if (event.end == CallEnd::kReturned) row.latencies.add(event.duration_ns);
  std::string& program = programs_[event.thread.pid];
  if (program.empty()) program = to_text(Value::string(surroundings_->command_of(event.thread.host_tid)));
  const bool is_exec = event.call.number == SYS_execve || event.call.number == SYS_execveat;
  if (!is_exec || !event.call.result || event.call.result->error) return;
  if (const Value* path = find_value(event.call, "pathname")) program = to_text(*path);
}

void TopWriter::on_death(const DeathEvent& event) {
  if (event.thread.tid == event.thread.pid) ended_.insert(event.thread.pid);
}

void TopWriter::end(const TraceTotals&) {
  if (!rows_.empty()) show_table(last_ns_);
}

void TopWriter::show_table(uint64_t now_ns) {
  TopTable table{.seconds = static_cast<double>(std::max<uint64_t>(now_ns - begin_ns_, 1)) / 1e9};
  for (const auto& [pid, row] : rows_) {
    const auto busiest =
        std::ranges::max_element(row.by_call, {}, [](const auto& entry) { return entry.second; });
    table.rows.push_back({.pid = pid,
                          .calls = row.calls,
                          .errors = row.errors,
                          .p50_ns = row.latencies.percentile_ns(0.5),
                          .p99_ns = row.latencies.percentile_ns(0.99),
                          .max_ns = row.latencies.max_ns(),
                          .total_ns = row.latencies.total_ns(),
                          .most_called = busiest->first,
                          .program = programs_[pid]});
  }
  show_(std::move(table));
  rows_.clear();
  for (pid_t pid : ended_) programs_.erase(pid);
  ended_.clear();
  begin_ns_ = now_ns;
}

}  // namespace sandbox::trace
