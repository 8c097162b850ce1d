// ProfileReports: tells, in words and with the stack, which calls a workload made against its seccomp
// profile.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "platform/seccomp_profile.h"
#include "sentry/trace/code_reader.h"
#include "sentry/trace/decoder.h"
#include "sentry/trace/recorder.h"

namespace sandbox {

class ProfileReports final : public platform::ProfileObserver {
 public:
  // `tell` gets the first call of each kind (a call and what became of it) as it happens, and where in the
  // program it was made in further lines. From any thread, never two at once.
  explicit ProfileReports(std::function<void(const std::string&)> tell) : tell_(std::move(tell)) {}

  // Before the first call; outlives it.
  void set_subject(trace::Subject& subject);

  Interest on_call_against_profile(const platform::SyscallEvent& event, GuestMemory& memory,
                                   const platform::ProfileAction& action) override;
  void on_registers(pid_t tid, const user_regs_struct& registers) override;
  // At the end: tells of calls whose threads died before it was known where they were made, and how often
  // others of a kind were made that was told of: "mkdirat 12 times more: EPERM".
  void finish();

 private:
  using CallAndConsequence = std::pair<std::string, std::string>;

  const std::function<void(const std::string&)> tell_;
  const trace::Decoder decoder_;
  trace::Subject* subject_ = nullptr;
  std::mutex mutex_;  // all below
  std::optional<trace::CodeReader> code_;
  std::map<pid_t, std::string> waiting_;  // for their thread's registers
  std::map<CallAndConsequence, size_t> counts_;
};

}  // namespace sandbox
