// The events of a trace, as its writers get them.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/debug/disassembly.h"
#include "platform/debug/stack_walker.h"
#include "sentry/trace/decoder.h"

namespace sandbox::trace {

// As the traced program numbers itself: inside a sandbox, not the host's ids.
struct ThreadIdentity {
  pid_t tid = 0, pid = 0;
  pid_t host_tid = 0;  // as the tracer's PID namespace numbers it
};

enum class CallEnd : uint8_t {
  kReturned,
  kNoReturn,  // exit, exit_group
  kKilled,    // the thread died, or was taken over by an exec, in the call
  kDetached,  // the trace ended first
  kUnknown,   // it went on without the tracer
};

struct Event {
  ThreadIdentity thread;
  uint64_t time_ns = 0;  // CLOCK_REALTIME; of a call: its entry
};

// Where in the program something happened; empty as far as nobody asked or nothing can be told.
struct CodeSite {
  std::vector<platform::FramePtr> stack;  // innermost first
  uint64_t address = 0;                   // of the instruction
  std::vector<platform::Instruction> instructions;
};

struct CallEvent : Event {
  DecodedCall call;
  std::vector<std::string> paths;  // absolute, one a path argument; empty unless paths are wanted
  uint64_t duration_ns = 0;
  CallEnd end = CallEnd::kReturned;
  CodeSite site;
};

// What is told of a signal that ends the process.
struct FatalSignal {
  std::optional<uint64_t> address;  // whose use the signal is about
  std::string hit;                  // what is mapped there, in words
  user_regs_struct registers{};
  CodeSite site;
};

struct SignalEvent : Event {
  siginfo_t info{};
  std::optional<FatalSignal> fatal;  // it is, and somebody asked
};

struct StopEvent : Event {
  int signal = 0;
};

struct BirthEvent : Event {
  ThreadIdentity child;
};

struct DeathEvent : Event {
  int wait_status = 0;
};

class Surroundings;

struct TraceTotals {
  uint64_t calls = 0;  // shown
  uint64_t lost = 0;   // could not be written
};

// One format. Called by one thread at a time.
class Writer {
 public:
  virtual ~Writer() = default;
  // Before the first event; outlives the last.
  virtual void set_surroundings(Surroundings& surroundings) { (void)surroundings; }
  virtual void begin(uint64_t time_ns) { (void)time_ns; }
  virtual void on_call(const CallEvent& event) = 0;
  virtual void on_signal(const SignalEvent& event) { (void)event; }
  virtual void on_stop(const StopEvent& event) { (void)event; }
  virtual void on_birth(const BirthEvent& event) { (void)event; }
  virtual void on_death(const DeathEvent& event) { (void)event; }
  virtual void end(const TraceTotals& totals) { (void)totals; }
};

}  // namespace sandbox::trace
