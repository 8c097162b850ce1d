// ProfileReports: tells, in words, which calls a workload made against its seccomp profile.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "platform/seccomp_profile.h"
#include "sentry/trace/decoder.h"
#include "sentry/trace/recorder.h"

namespace sandbox {

class ProfileReports final : public platform::ProfileObserver {
 public:
  // `tell` gets the first call of each kind (a call and what became of it) as it happens. From any thread,
  // never two at once.
  explicit ProfileReports(std::function<void(const std::string&)> tell) : tell_(std::move(tell)) {}

  // Before the first call; outlives it.
  void set_subject(trace::Subject& subject) { subject_ = &subject; }

  void on_call_against_profile(const platform::SyscallEvent& event, GuestMemory& memory,
                               const platform::ProfileAction& action) override;
  // Calls that were not told of because one of their kind was: "mkdirat 12 times more: EPERM".
  std::vector<std::string> repetitions();

 private:
  using CallAndConsequence = std::pair<std::string, std::string>;

  const std::function<void(const std::string&)> tell_;
  const trace::Decoder decoder_;
  trace::Subject* subject_ = nullptr;
  std::mutex mutex_;
  std::map<CallAndConsequence, size_t> counts_;
};

}  // namespace sandbox
