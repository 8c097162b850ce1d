// TopWriter: instead of the calls, every second how many each process makes, fails in, and waits for.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "sentry/trace/event.h"
#include "sentry/trace/summary_writer.h"
#include "sentry/trace/surroundings.h"
#include "sentry/trace/top_table.h"

namespace sandbox::trace {

// A table a second in which something was called, and one at the end.
class TopWriter final : public Writer {
 public:
  explicit TopWriter(std::function<void(TopTable)> show) : show_(std::move(show)) {}

  void set_surroundings(Surroundings& surroundings) override { surroundings_ = &surroundings; }
  void on_call(const CallEvent& event) override;
  void on_death(const DeathEvent& event) override;
  void end(const TraceTotals& totals) override;

 private:
  struct Row {
    uint64_t calls = 0, errors = 0;
    LatencyHistogram latencies;
    std::map<std::string, uint64_t> by_call;
  };

  void show_table(uint64_t now_ns);

  static constexpr uint64_t kInterval_ns = 1'000'000'000;

  const std::function<void(TopTable)> show_;
  Surroundings* surroundings_ = nullptr;
  uint64_t begin_ns_ = 0;  // of the table under way; 0: none
  uint64_t last_ns_ = 0;
  std::map<pid_t, Row> rows_;              // of this table
  std::map<pid_t, std::string> programs_;  // the path of an exec, or else the command's name
  std::set<pid_t> ended_;                  // in this table's time
};

}  // namespace sandbox::trace
