// FailureHistory: what must be remembered of a run to say, once the program has failed, which calls led
// there.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "platform/intercepted_call.h"
#include "sandbox/credentials.h"
#include "sentry/trace/event.h"
#include "sentry/trace/surroundings.h"

namespace sandbox::trace {

struct FailedCall {
  uint64_t place = 0;  // among the calls of its process
  ThreadIdentity thread;
  platform::SyscallEvent event{};
  const SyscallRow* row = nullptr;
  Errno error{0};
  std::string text;                // the line of a trace
  std::vector<std::string> paths;  // absolute
  std::string object;              // what its descriptor refers to; of bind and connect, the address in words
  int64_t flags = 0;               // of an open
  // A later call found the same name elsewhere, or this very call came through.
  bool is_made_good = false;
  // Taken when it failed, of what the error may be about.
  std::optional<Credentials> credentials;
  std::optional<rlimit> limit;
  int resource = 0;  // RLIMIT_* of `limit`

  // The last component of its last path; "" when it has none.
  std::string_view name() const;
};

struct ProcessHistory {
  pid_t pid = 0;
  std::string program;  // the path of its last exec; "" for a fork of its parent
  std::deque<FailedCall> failures;
  std::deque<std::string> directories;  // that it asked about or listed, the last ones, each once
  std::string words;                    // the end of what it wrote to standard error
  uint64_t words_place = 0;             // where the last passage of these begins
  uint64_t calls = 0;
  std::vector<pid_t> children;           // processes
  std::map<int, FailedCall> connecting;  // by descriptor: connects that have not come to an end
  std::optional<int> wait_status;        // once it has ended
  std::optional<siginfo_t> signal;       // the last one that was delivered
  std::string sender;  // who in the trace sent it the signal that killed it, in words; "": nobody
};

class FailureHistory final : public Writer {
 public:
  void set_surroundings(Surroundings& surroundings) override { surroundings_ = &surroundings; }
  void on_call(const CallEvent& event) override;
  void on_signal(const SignalEvent& event) override;
  void on_birth(const BirthEvent& event) override;
  void on_death(const DeathEvent& event) override;

  // The trace does not begin with the program: whichever process fails last is explained.
  void begin_within_program() { has_begun_within_ = true; }
  // What led to the end of the first process, in words, one aspect a line; "" while it lives.
  const std::string& explanation() const { return explanation_; }

  const ProcessHistory* find(pid_t pid) const;
  // Which traced process bound that address, in words of FailedCall::object; 0 when none did.
  pid_t binder_of(const std::string& address) const;

 private:
  ProcessHistory& process_of(const Event& event);
  FailedCall failed_call(const ProcessHistory& process, const CallEvent& event, Errno error);
  void note_failure(ProcessHistory& process, FailedCall failed);
  void note_connection(ProcessHistory& process, const CallEvent& event);
  void note_success(ProcessHistory& process, const CallEvent& event);
  void note_signal_sent(const CallEvent& event);
  void note_words(ProcessHistory& process, const CallEvent& event);

  static constexpr size_t kMaxFailures = 512, kMaxDirectories = 10, kMaxWords = 4096, kMaxProcesses = 10'000;

  Surroundings* surroundings_ = nullptr;
  bool has_begun_within_ = false;
  pid_t first_ = 0;
  std::map<pid_t, ProcessHistory> processes_;
  std::map<std::string, pid_t> bound_;
  std::map<pid_t, std::map<int, std::string>> signalled_;  // by target and signal: the sender, in words
  std::string explanation_;
};

}  // namespace sandbox::trace
