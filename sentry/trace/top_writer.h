// TopWriter: instead of the calls, every second how many each process makes, fails in, and waits for.
#pragma once

#include <map>
#include <string>

#include "sentry/trace/event.h"
#include "sentry/trace/output.h"
#include "sentry/trace/summary_writer.h"

namespace sandbox::trace {

// A table a second in which something was called, and one at the end; busiest process first. On a terminal
// each takes the place of the one before.
class TopWriter final : public Writer {
 public:
  explicit TopWriter(Outputs& outputs) : output_(outputs.first()) {}

  void on_call(const CallEvent& event) override;
  void on_death(const DeathEvent& event) override;
  void end(const TraceTotals& totals) override;

 private:
  struct Row {
    uint64_t calls = 0, errors = 0;
    LatencyHistogram latencies;
    std::map<std::string, uint64_t> by_call;
  };

  void write_table(uint64_t now_ns);

  static constexpr uint64_t kInterval_ns = 1'000'000'000;
  static constexpr size_t kRows = 20;

  Output& output_;
  uint64_t begin_ns_ = 0;  // of the table under way; 0: none
  uint64_t last_ns_ = 0;
  std::map<pid_t, Row> rows_;              // of this table
  std::map<pid_t, std::string> programs_;  // of processes alive, as far as an exec was seen
};

}  // namespace sandbox::trace
