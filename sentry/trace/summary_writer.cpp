// Counting, and the two tables.
#include "sentry/trace/summary_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include "sentry/trace/json.h"
#include "sentry/trace/jsonl_writer.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

// ---- histogram ----

size_t LatencyHistogram::bucket_of(uint64_t duration_ns) {
  if (duration_ns < (1u << kBits)) return duration_ns;
  const unsigned exponent = static_cast<unsigned>(std::bit_width(duration_ns)) - 1 - kBits;
  return ((exponent + 1) << kBits) + ((duration_ns >> exponent) & ((1u << kBits) - 1));
}

uint64_t LatencyHistogram::upper_bound_ns(size_t bucket) {
  if (bucket < (1u << kBits)) return bucket;
  const size_t exponent = (bucket >> kBits) - 1;
  const uint64_t step = uint64_t{1} << exponent;
  return ((uint64_t{1} << kBits) + (bucket & ((1u << kBits) - 1))) * step + (step - 1);
}

void LatencyHistogram::add(uint64_t duration_ns) {
  ++buckets_[bucket_of(duration_ns)];
  ++count_;
  total_ns_ += duration_ns;
  max_ns_ = std::max(max_ns_, duration_ns);
}

uint64_t LatencyHistogram::percentile_ns(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(share * static_cast<double>(count_) + 0.5));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return std::min(upper_bound_ns(bucket), max_ns_);
  }
  return max_ns_;
}

std::array<uint64_t, LatencyHistogram::kDecades> LatencyHistogram::decades() const {
  std::array<uint64_t, kDecades> decades{};
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    if (buckets_[bucket] == 0) continue;
    uint64_t limit_ns = 1000;
    size_t decade = 0;
    while (decade + 1 < kDecades && upper_bound_ns(bucket) >= limit_ns) {
      ++decade;
      limit_ns *= 10;
    }
    decades[decade] += buckets_[bucket];
  }
  return decades;
}

// ---- counting ----

void SummaryWriter::on_call(const CallEvent& event) {
  CallRow& row = calls_[name_of_call(event.call)];
  ++row.calls;
  if (event.call.result && event.call.result->error) ++row.errors;
  if (event.end == CallEnd::kReturned) row.latencies.add(event.duration_ns);
  count_paths(event);
}

void SummaryWriter::count_paths(const CallEvent& event) {
  if (event.call.row == nullptr) return;
  const auto arguments = event.call.row->arguments();
  for (size_t i = 0; i < arguments.size() && i < event.call.arguments.size(); ++i) {
    if (arguments[i].kind != ArgumentKind::kPath) continue;
    auto path = event.call.arguments[i].as_string();
    if (!path || path->empty()) continue;
    auto found = paths_.find(std::string(*path));
    PathRow* row = found != paths_.end()       ? &found->second
                   : paths_.size() < kMaxPaths ? &paths_[std::string(*path)]
                                               : &other_paths_;
    ++row->calls;
    if (event.call.result && event.call.result->error) ++row->errors;
    row->total_ns += event.duration_ns;
  }
}

// ---- writing ----

std::vector<std::pair<std::string, const SummaryWriter::CallRow*>> SummaryWriter::ordered_calls() const {
  std::vector<std::pair<std::string, const CallRow*>> rows;
  for (const auto& [name, row] : calls_) rows.emplace_back(name, &row);
  using Order = SummaryOptions::Order;
  std::ranges::stable_sort(rows, [&](const auto& left, const auto& right) {
    switch (options_.order) {
      case Order::kTime:
        return left.second->latencies.total_ns() > right.second->latencies.total_ns();
      case Order::kCalls:
        return left.second->calls > right.second->calls;
      case Order::kErrors:
        return left.second->errors > right.second->errors;
      case Order::kName:
        return left.first < right.first;
    }
    return false;
  });
  return rows;
}

std::vector<std::pair<std::string, SummaryWriter::PathRow>> SummaryWriter::ordered_paths() const {
  std::vector<std::pair<std::string, PathRow>> rows(paths_.begin(), paths_.end());
  std::ranges::sort(rows, [](const auto& left, const auto& right) {
    return std::tie(right.second.calls, left.first) < std::tie(left.second.calls, right.first);
  });
  return rows;
}

namespace {

// A bar a decade, from below 1 us to a second and more; as high as its share of the calls.
std::string bars_of(const LatencyHistogram& latencies) {
  constexpr std::string_view kBars[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string text;
  for (uint64_t count : latencies.decades()) {
    const uint64_t share = count == 0 ? 0 : 1 + count * 7 / std::max<uint64_t>(1, latencies.count());
    text += kBars[std::min<uint64_t>(share, 8)];
  }
  return text;
}

double microseconds(uint64_t duration_ns) { return static_cast<double>(duration_ns) / 1000; }

}  // namespace

void SummaryWriter::write_table() {
  std::string& text = output_.text();
  auto to = std::back_inserter(text);
  uint64_t total_ns = 0, calls = 0, errors = 0;
  for (const auto& [name, row] : calls_) {
    total_ns += row.latencies.total_ns();
    calls += row.calls;
    errors += row.errors;
  }
  fmt::format_to(to, "{:>6} {:>11} {:>11} {:>11} {:>11} {:>9} {:>9} {:<8} {}\n", "% time", "seconds",
                 "p50 us", "p99 us", "max us", "calls", "errors", "1us..1s", "syscall");
  const std::string line =
      "------ ----------- ----------- ----------- ----------- --------- --------- -------- "
      "----------------\n";
  text += line;
  for (const auto& [name, row] : ordered_calls()) {
    const LatencyHistogram& latencies = row->latencies;
    fmt::format_to(
        to, "{:>6.2f} {:>11.6f} {:>11.1f} {:>11.1f} {:>11.1f} {:>9} {:>9} {} {}\n",
        total_ns == 0 ? 0.0
                      : 100.0 * static_cast<double>(latencies.total_ns()) / static_cast<double>(total_ns),
        static_cast<double>(latencies.total_ns()) / 1e9, microseconds(latencies.percentile_ns(0.5)),
        microseconds(latencies.percentile_ns(0.99)), microseconds(latencies.max_ns()), row->calls,
        row->errors == 0 ? "" : fmt::format("{}", row->errors), bars_of(latencies), name);
  }
  text += line;
  fmt::format_to(to, "{:>6} {:>11.6f} {:>11} {:>11} {:>11} {:>9} {:>9} {:<8} total\n", "100.00",
                 static_cast<double>(total_ns) / 1e9, "", "", "", calls,
                 errors == 0 ? "" : fmt::format("{}", errors), "");
  if (paths_.empty() || options_.path_rows == 0) return;
  fmt::format_to(to, "\n{:>9} {:>9} {:>11} {}\n--------- --------- ----------- ----------------\n", "calls",
                 "errors", "seconds", "path");
  size_t shown = 0;
  PathRow rest = other_paths_;
  for (const auto& [path, row] : ordered_paths()) {
    if (shown++ < options_.path_rows) {
      fmt::format_to(to, "{:>9} {:>9} {:>11.6f} {}\n", row.calls,
                     row.errors == 0 ? "" : fmt::format("{}", row.errors),
                     static_cast<double>(row.total_ns) / 1e9, to_text(Value::string(path)));
    } else {
      rest.calls += row.calls;
      rest.errors += row.errors;
      rest.total_ns += row.total_ns;
    }
  }
  if (rest.calls > 0)
    fmt::format_to(to, "{:>9} {:>9} {:>11.6f} (others)\n", rest.calls, rest.errors,
                   static_cast<double>(rest.total_ns) / 1e9);
}

void SummaryWriter::write_json(const TraceTotals& totals) {
  std::string& text = output_.text();
  auto to = std::back_inserter(text);
  for (const auto& [name, row] : ordered_calls()) {
    const LatencyHistogram& latencies = row->latencies;
    fmt::format_to(
        to,
        "{{\"v\":{},\"type\":\"summary\",\"call\":\"{}\",\"calls\":{},\"errors\":{},\"total_ns\":{},"
        "\"p50_ns\":{},\"p99_ns\":{},\"max_ns\":{},\"decades_from_1us\":[{}]}}\n",
        JsonlWriter::kSchemaVersion, name, row->calls, row->errors, latencies.total_ns(),
        latencies.percentile_ns(0.5), latencies.percentile_ns(0.99), latencies.max_ns(),
        fmt::join(latencies.decades(), ","));
  }
  for (const auto& [path, row] : ordered_paths()) {
    fmt::format_to(to, "{{\"v\":{},\"type\":\"summary_path\",\"path\":", JsonlWriter::kSchemaVersion);
    append_json_string(text, path);
    fmt::format_to(to, ",\"calls\":{},\"errors\":{},\"total_ns\":{}}}\n", row.calls, row.errors,
                   row.total_ns);
  }
  fmt::format_to(to, "{{\"v\":{},\"type\":\"end\",\"calls\":{},\"lost\":{}}}\n", JsonlWriter::kSchemaVersion,
                 totals.calls, totals.lost);
}

void SummaryWriter::end(const TraceTotals& totals) {
  options_.form == SummaryOptions::Form::kTable ? write_table() : write_json(totals);
  output_.end_record();
}

}  // namespace sandbox::trace
