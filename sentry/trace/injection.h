// Injector: lets chosen calls of a traced program fail, return something else, take longer, or move fewer
// bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/call_observer.h"
#include "sentry/trace/trace_filter.h"

namespace sandbox::trace {

// One --inject.
struct Injection {
  TraceFilter filter;  // calls, paths and descriptors
  // Of the calls that the filter lets through, counted in each process: first, first+step, ... up to last.
  uint64_t first = 1, last = UINT64_MAX, step = 1;  // step 0: only the first
  double probability = 1;
  std::optional<int64_t> result;  // the call does not run; an error as its negated number
  int signal = 0;
  uint64_t delay_ns = 0;
  // Bytes that a read or write moves at most; kRandomBytes: from 1 to all of them.
  std::optional<uint64_t> most_bytes;
  static constexpr uint64_t kRandomBytes = UINT64_MAX;
  // Of a call that asks for `all`; `chance` is any number.
  uint64_t most_of(uint64_t all, uint64_t chance) const;

  // "openat:path=/data/*:error=ENOSPC:when=3+2": calls as -e has them, then path=GLOB, fd=N, error=NAME,
  // retval=N, signal=NAME, delay=10ms, short=N|random, when=FIRST[..LAST][+[STEP]], probability=0.1. The
  // error says which word is wrong.
  static std::expected<Injection, std::string> parse(std::string_view text);
};

// Everything that it decides follows from the seed, from the order in which processes appear, and from the
// order of calls in each of them. Not for two threads at once.
class Injector {
 public:
  Injector(std::vector<Injection> rules, uint64_t seed) : rules_(std::move(rules)), seed_(seed) {}

  bool is_empty() const { return rules_.empty(); }
  bool needs_names() const;
  // What must be traced for it.
  platform::CallSet calls() const;
  // What becomes of a call that is about to be made: the first rule that has a word for it decides. `names`
  // may be null unless needs_names().
  std::optional<platform::Intervention> decide(const CallEvent& event, GuestMemory& memory,
                                               DescriptorNames* names);

 private:
  // The same number for the same run, evenly spread.
  uint64_t draw(size_t rule, pid_t pid, uint64_t count);

  const std::vector<Injection> rules_;
  const uint64_t seed_;
  std::map<pid_t, uint64_t> order_;                      // of processes
  std::map<std::pair<size_t, pid_t>, uint64_t> counts_;  // by rule and process
};

}  // namespace sandbox::trace
