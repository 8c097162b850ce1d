// Names of signals, as kill(1) takes them.
#include "sandbox/signals.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>
#include <string>

#include "sandbox/numbers.h"

namespace sandbox {

namespace {

// Of "RTMIN+3", "RTMAX-0", "RTMIN".
std::optional<int> real_time_signal(std::string_view word) {
  const bool from_first = word.starts_with("RTMIN");
  if (!from_first && !word.starts_with("RTMAX")) return std::nullopt;
  word.remove_prefix(std::strlen("RTMIN"));
  int distance = 0;
  if (!word.empty()) {
    const auto number =
        word.front() == (from_first ? '+' : '-') ? parse_number<unsigned>(word.substr(1)) : std::nullopt;
    if (!number || *number > static_cast<unsigned>(SIGRTMAX - SIGRTMIN)) return std::nullopt;
    distance = static_cast<int>(*number);
  }
  return from_first ? SIGRTMIN + distance : SIGRTMAX - distance;
}

}  // namespace

std::optional<int> signal_number(std::string_view word) {
  if (auto number = parse_number<int>(word)) return *number >= 0 && *number < NSIG ? number : std::nullopt;
  std::string name(word);
  std::ranges::transform(name, name.begin(), [](unsigned char letter) { return std::toupper(letter); });
  if (name.starts_with("SIG")) name.erase(0, std::strlen("SIG"));
  for (int number = 1; number < SIGRTMIN; ++number)
    if (const char* known = ::sigabbrev_np(number); known != nullptr && name == known) return number;
  return real_time_signal(name);
}

}  // namespace sandbox
