// SummaryWriter: instead of the calls, how many there were and how long they took; by call and by path.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "sentry/trace/event.h"
#include "sentry/trace/output.h"

namespace sandbox::trace {

// Durations in buckets of which 16 make a factor of two: a percentile is right to 1/16.
class LatencyHistogram {
 public:
  void add(uint64_t duration_ns);
  uint64_t count() const { return count_; }
  uint64_t total_ns() const { return total_ns_; }
  uint64_t max_ns() const { return max_ns_; }
  // The duration that `share` (0 to 1) of them do not exceed; 0 when there are none.
  uint64_t percentile_ns(double share) const;
  // By powers of ten of nanoseconds: below 1 us, 10 us, 100 us, 1 ms, 10 ms, 100 ms, 1 s, and the rest.
  static constexpr size_t kDecades = 8;
  std::array<uint64_t, kDecades> decades() const;

 private:
  static constexpr unsigned kBits = 4;
  static constexpr size_t kBuckets = (64 - kBits + 1) << kBits;
  static size_t bucket_of(uint64_t duration_ns);
  static uint64_t upper_bound_ns(size_t bucket);

  std::array<uint32_t, kBuckets> buckets_{};
  uint64_t count_ = 0, total_ns_ = 0, max_ns_ = 0;
};

struct SummaryOptions {
  enum class Form { kTable, kJson } form = Form::kTable;
  enum class Order { kTime, kCalls, kErrors, kName } order = Order::kTime;
  size_t path_rows = 25;  // of the table; JSON has all that are kept
};

class SummaryWriter final : public Writer {
 public:
  SummaryWriter(const SummaryOptions& options, Outputs& outputs)
      : options_(options), output_(outputs.first()) {}

  void on_call(const CallEvent& event) override;
  void end(const TraceTotals& totals) override;

 private:
  struct CallRow {
    LatencyHistogram latencies;
    uint64_t calls = 0, errors = 0;
  };
  struct PathRow {
    uint64_t calls = 0, errors = 0, total_ns = 0;
  };

  void count_paths(const CallEvent& event);
  std::vector<std::pair<std::string, const CallRow*>> ordered_calls() const;
  std::vector<std::pair<std::string, PathRow>> ordered_paths() const;
  void write_table();
  void write_json(const TraceTotals& totals);

  static constexpr size_t kMaxPaths = 100'000;  // further ones are counted together

  const SummaryOptions options_;
  Output& output_;
  std::map<std::string, CallRow> calls_;
  std::unordered_map<std::string, PathRow> paths_;
  PathRow other_paths_;
};

}  // namespace sandbox::trace
