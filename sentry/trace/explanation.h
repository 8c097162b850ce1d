// Why a program failed, in plain words, from the history of its calls.
#pragma once

#include <string>

#include "sentry/trace/failure_history.h"
#include "sentry/trace/surroundings.h"

namespace sandbox::trace {

// Lines "aspect: words". Only the calls decide, and what the program wrote to standard error, in which the
// names, paths and errors of calls are looked for; no program is known by name.
std::string explain(const FailureHistory& history, const ProcessHistory& process, Surroundings& surroundings);

// One aspect of an explanation after the other.
class Explanation {
 public:
  void add(std::string_view aspect, std::string_view words);
  void advise(std::string_view words) {
    if (!words.empty()) add("try", words);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What is behind one failed call; `others` are failures of the same process, among which may be other places
// where the same name was looked for.
void explain_call(const FailedCall& call, const std::deque<FailedCall>& others, const FailureHistory& history,
                  Surroundings& surroundings, Explanation& out);

// Parts of it, each for some errors (explained_paths.cpp).
void explain_missing(const FailedCall& call, const std::deque<FailedCall>& others, Surroundings& surroundings,
                     Explanation& out);
void explain_permission(const FailedCall& call, Surroundings& surroundings, Explanation& out);
void explain_space(const FailedCall& call, Surroundings& surroundings, Explanation& out);
// Which mount answered the path.
void tell_mount(const std::string& path, Surroundings& surroundings, Explanation& out);
// For a message: bytes that could steer a terminal as \ooo.
std::string in_message(std::string_view text);

}  // namespace sandbox::trace
