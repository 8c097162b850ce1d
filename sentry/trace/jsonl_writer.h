// JsonlWriter: a trace as one JSON object a line; the schema is tools/trace.schema.json.
#pragma once

#include "sentry/trace/event.h"
#include "sentry/trace/output.h"

namespace sandbox::trace {

class JsonlWriter final : public Writer {
 public:
  // Written into every record; changes when a field changes its meaning or goes. New fields may come.
  static constexpr int kSchemaVersion = 1;

  explicit JsonlWriter(Outputs& outputs) : outputs_(outputs) {}

  void begin(uint64_t time_ns) override;
  void on_call(const CallEvent& event) override;
  void on_signal(const SignalEvent& event) override;
  void on_stop(const StopEvent& event) override;
  void on_birth(const BirthEvent& event) override;
  void on_death(const DeathEvent& event) override;
  void end(const TraceTotals& totals) override;

 private:
  std::string& begin_record(const char* type, const Event& event);
  void end_record(pid_t pid);

  Outputs& outputs_;
};

// What JSON formats share: {"dirfd": ..., "pathname": ...} of the arguments that the call looks at.
void append_json_arguments(std::string& text, const DecodedCall& call);
std::string_view name_of(CallEnd end);
// The call's name; "syscall_1234" for a number without one, "i386_open" for a 32-bit program's.
std::string name_of_call(const DecodedCall& call);

}  // namespace sandbox::trace
