// PerfettoWriter: a trace as Chrome's trace events, which ui.perfetto.dev opens: a track a thread, by
// process.
#pragma once

#include <set>

#include "sentry/trace/event.h"
#include "sentry/trace/output.h"

namespace sandbox::trace {

// The JSON object format ("Trace Event Format"): calls are complete events ("X"), signals instants ("i"),
// births flow arrows ("s", "f"). Times are microseconds since the trace began.
class PerfettoWriter final : public Writer {
 public:
  explicit PerfettoWriter(Outputs& outputs) : output_(outputs.first()) {}

  void begin(uint64_t time_ns) override;
  void on_call(const CallEvent& event) override;
  void on_signal(const SignalEvent& event) override;
  void on_stop(const StopEvent& event) override;
  void on_birth(const BirthEvent& event) override;
  void on_death(const DeathEvent& event) override;
  void end(const TraceTotals& totals) override;

 private:
  std::string& begin_record(char phase, const Event& event);
  void end_record();
  void append_name(const char* key, std::string_view name);
  void name_process(pid_t pid, std::string_view name);
  void instant(const Event& event, const std::string& name, const FatalSignal* fatal = nullptr);

  Output& output_;
  uint64_t start_ns_ = 0;
  bool is_first_ = true;
  uint64_t births_ = 0;
};

}  // namespace sandbox::trace
