// TopTable: how busy each traced process was in one second; as text, and on its way to another process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/trace/output.h"

namespace sandbox::trace {

struct TopRow {
  pid_t pid = 0;
  uint64_t calls = 0, errors = 0;
  uint64_t p50_ns = 0, p99_ns = 0, max_ns = 0, total_ns = 0;
  std::string most_called, program;  // printable
};

// What is on top: most calls, most failures, the longest 99th percentile, most time in calls, names in order.
enum class TopOrder : uint8_t { kCalls, kErrors, kLatency, kTime, kName };
// "calls", "errors", "latency", "time", "name".
std::optional<TopOrder> find_top_order(std::string_view name);
// Its first letter, for a view that follows keys.
std::optional<TopOrder> find_top_order(char key);

struct TopTable {
  double seconds = 1;
  std::vector<TopRow> rows;

  std::string to_text(TopOrder order) const;
  // Lines, the last of which begins with "=".
  std::string to_message() const;
};

// Takes messages apart as they come in.
class TopMessages {
 public:
  // The tables that are complete with this. What is no such message is left out.
  std::vector<TopTable> take(std::string_view text);

 private:
  std::string unfinished_;
  TopTable table_;
};

// Shows one table after the other: on a terminal in place of the one before.
class TopScreen {
 public:
  TopScreen(TopOrder order, Output& output) : order_(order), output_(output) {}

  void show(TopTable table);
  // From any thread; what is shown is ordered anew.
  void set_order(TopOrder order);

 private:
  void draw();

  std::mutex mutex_;  // all below
  TopOrder order_;
  Output& output_;
  TopTable table_;
};

}  // namespace sandbox::trace
