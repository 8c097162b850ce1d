// TraceFilter: which calls of a trace are shown.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "platform/call_observer.h"
#include "sentry/trace/event.h"
#include "sentry/trace/expression.h"

namespace sandbox::trace {

// A call is shown when every part that is given holds. `calls` is the kernel's to look at: other calls run at
// full speed. The rest is looked at when the call is stopped anyway.
struct TraceFilter {
  platform::CallSet calls = platform::CallSet::all();
  std::vector<std::string> paths;  // the path itself and all below, or a glob (*, ?, [)
  std::vector<int> descriptors;    // an argument or a result
  enum class Outcome { kAny, kSuccess, kFailure } outcome = Outcome::kAny;
  std::vector<int> errors;       // errno numbers, any of them
  std::vector<int64_t> results;  // any of them
  uint64_t min_duration_ns = 0;
  std::vector<std::string> processes;  // process ids or globs of command names, any of them
  std::optional<Expression> where;

  // Leaves out of `calls` what `where`, `paths` and `descriptors` can never let through.
  void narrow();

  bool admits_process(ThreadIdentity thread, const std::string& command) const;
  // Before the call has run: false when nothing that it may return would make it pass. `names` may be null.
  bool may_pass(const CallEvent& event, DescriptorNames* names) const;
  // Whether a call that may pass can still fail to, for what it returns.
  bool awaits_result() const;
  // Once it has returned; may_pass was true.
  bool passes(const CallEvent& event) const;
};

bool is_path_admitted(const std::string& pattern, std::string_view path);

}  // namespace sandbox::trace
