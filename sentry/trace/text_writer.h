// TextWriter: a trace as lines that read like strace's.
#pragma once

#include "sentry/trace/event.h"
#include "sentry/trace/output.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

struct TextOptions {
  TextStyle style;
  enum class Time { kNone, kClock, kPrecise, kEpoch, kRelative } time = Time::kNone;
  bool shows_duration = false;
  enum class Ids { kAlways, kWhenSeveral, kNever } ids = Ids::kWhenSeveral;
  int result_column = 40;
};

// Lines are in the order in which calls return, each whole; a call that never returns is told at its thread's
// end. `1234  openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3 <0.000012>`
class TextWriter final : public Writer {
 public:
  TextWriter(const TextOptions& options, Outputs& outputs) : options_(options), outputs_(outputs) {}

  void on_call(const CallEvent& event) override;
  void on_signal(const SignalEvent& event) override;
  void on_stop(const StopEvent& event) override;
  void on_birth(const BirthEvent& event) override;
  void on_death(const DeathEvent& event) override;

 private:
  std::string& begin_line(const Event& event);
  void end_line(const Event& event);
  void append_time(std::string& text, uint64_t time_ns);
  void pad(std::string& text) const;

  const TextOptions options_;
  Outputs& outputs_;
  size_t line_start_ = 0;
  size_t alive_ = 1;
  uint64_t last_time_ns_ = 0;
};

}  // namespace sandbox::trace
