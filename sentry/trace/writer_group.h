// WriterGroup: several writers of one trace.
#pragma once

#include <vector>

#include "sentry/trace/event.h"

namespace sandbox::trace {

class WriterGroup final : public Writer {
 public:
  // Outlives the group.
  void add(Writer& writer) { writers_.push_back(&writer); }

  void set_surroundings(Surroundings& surroundings) override {
    for (Writer* writer : writers_) writer->set_surroundings(surroundings);
  }
  void begin(uint64_t time_ns) override {
    for (Writer* writer : writers_) writer->begin(time_ns);
  }
  void on_call(const CallEvent& event) override {
    for (Writer* writer : writers_) writer->on_call(event);
  }
  void on_signal(const SignalEvent& event) override {
    for (Writer* writer : writers_) writer->on_signal(event);
  }
  void on_stop(const StopEvent& event) override {
    for (Writer* writer : writers_) writer->on_stop(event);
  }
  void on_birth(const BirthEvent& event) override {
    for (Writer* writer : writers_) writer->on_birth(event);
  }
  void on_death(const DeathEvent& event) override {
    for (Writer* writer : writers_) writer->on_death(event);
  }
  void end(const TraceTotals& totals) override {
    for (Writer* writer : writers_) writer->end(totals);
  }

 private:
  std::vector<Writer*> writers_;
};

}  // namespace sandbox::trace
