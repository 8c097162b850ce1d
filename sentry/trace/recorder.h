// Recorder: turns what the engine tells of a workload into the events of a trace, and gives them to a writer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "platform/call_observer.h"
#include "sentry/trace/code_reader.h"
#include "sentry/trace/decoder.h"
#include "sentry/trace/event.h"
#include "sentry/trace/injection.h"
#include "sentry/trace/output.h"
#include "sentry/trace/surroundings.h"
#include "sentry/trace/trace_filter.h"

namespace sandbox::trace {

// What must be known of the traced threads besides what the engine tells.
class Subject : public platform::MappedFiles {
 public:
  // Ids as the program sees them. Zeroes when the thread is gone.
  virtual ThreadIdentity identify(pid_t host_tid) = 0;
  virtual std::unique_ptr<DescriptorNames> names_of(pid_t host_tid) = 0;
  // The signals that it catches or ignores; bit 0 is signal 1.
  virtual uint64_t handled_signals_of(pid_t host_tid) = 0;
  virtual Surroundings& surroundings() = 0;
};

// The host's own view: what /proc says.
std::unique_ptr<Subject> make_host_subject();

struct RecorderOptions {
  DecoderOptions decoder;
  TraceFilter filter;
  bool describes_descriptors = false;  // -y
  bool resolves_paths = false;         // CallEvent::paths
  std::shared_ptr<Injector> injector;  // null: every call runs as the program asks
  CodeOptions code;                    // needs registers with each call
};

class Recorder final : public platform::CallObserver {
 public:
  // `outputs` and `writer` outlive it.
  Recorder(RecorderOptions options, Outputs& outputs, Writer& writer);
  ~Recorder() override;

  // What must be traced for it.
  const platform::CallSet& calls() const { return calls_wanted_; }
  // Before the first event; outlives the recording.
  void set_subject(Subject& subject);
  // Whether on_call is to be given registers.
  bool needs_registers() const { return options_.code.wants_any(); }
  // A thread of the trace, when something is to be said of it before its first event.
  void add_thread(pid_t host_tid);

  // After the last event: calls that have not returned are told as such, the writer ends.
  void finish();

  Interest on_call(const platform::SyscallEvent& event, GuestMemory& memory,
                   const user_regs_struct* registers) override;
  void on_return(pid_t tid, int64_t result, GuestMemory& memory) override;
  platform::OutputRanges outputs_of(pid_t tid) override;
  void on_result(pid_t tid, int64_t result, uint64_t time_ns,
                 const platform::CopiedOutputs& outputs) override;
  std::optional<platform::Intervention> take_intervention(pid_t tid) override;
  void on_lost(pid_t tid) override;
  void on_birth(pid_t parent, pid_t child) override;
  void on_exec(pid_t maker, pid_t group) override;
  void on_signal(pid_t tid, const siginfo_t& info, const user_regs_struct& registers) override;
  void on_group_stop(pid_t tid, int signal) override;
  void on_death(pid_t tid, int wait_status) override;

 private:
  struct Thread {
    ThreadIdentity identity;
    std::string command;                     // known only when the filter asks for processes
    bool is_admitted = true;                 // by the filter's processes
    bool is_renamed = false;                 // by an exec: the name is known when the program runs
    std::unique_ptr<DescriptorNames> names;  // null: not wanted
    std::optional<CallEvent> pending;
    std::optional<platform::Intervention> intervention;  // in the call that on_call was told of last
    bool was_injected = false;                           // `pending` was
    uint64_t begin_ns = 0;                               // of `pending`, CLOCK_MONOTONIC
    std::optional<user_regs_struct> registers;  // of `pending`, while its site has not been looked at
  };

  Thread& thread_of(pid_t tid);
  void look_at_process(pid_t tid, Thread& thread);
  Interest interest_in(const Thread& thread) const;
  void take_result(pid_t tid, int64_t result, GuestMemory& memory, uint64_t now_ns);
  void end_call(pid_t tid, Thread& thread, CallEnd end);
  void look_at_site(pid_t tid, Thread& thread);
  Event event_of(const Thread& thread) const;
  uint64_t real_time_of(uint64_t monotonic_ns) const { return monotonic_ns + real_time_offset_ns_; }
  void note_record();
  void flush_now_and_then(std::stop_token stop);

  const RecorderOptions options_;
  const Decoder decoder_;
  platform::CallSet calls_wanted_;
  Outputs& outputs_;
  Writer& writer_;
  Subject* subject_ = nullptr;
  std::optional<CodeReader> code_;  // when its options want any
  uint64_t real_time_offset_ns_ = 0;

  std::mutex mutex_;  // all below

  std::unordered_map<pid_t, Thread> threads_;
  uint64_t calls_ = 0;
  bool has_begun_ = false, has_ended_ = false;
  // Records that nobody watches grow old in the buffer; this thread writes them when no others come.
  bool is_dirty_ = false;
  std::condition_variable_any dirty_;
  std::jthread flusher_;
};

}  // namespace sandbox::trace
