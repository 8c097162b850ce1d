// Messages: how every verb tells a person what went wrong and what to try.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/errno.h"
#include "sentry/sandbox_config.h"

namespace sandbox::tools {

// The sandbox itself failed (not the program in it), as docker and podman have it.
inline constexpr int kOwnFailure = 125;

enum class LogFormat { kText, kJson };

// How report() and the log write to standard error from now on. `level` is one of trace, debug, info,
// warn, error, off; false for any other word.
bool set_up_log(std::string_view level, LogFormat format);

// "No such file or directory (ENOENT)".
std::string reason_of(Errno error);

// Prints `sandbox: cannot <doing>: <reason>` and, unless it is empty, `try: <advice>`.
// Returns failure.exit_code, for `return report(...)`.
int report(const RunFailure& failure);

// Which limit it was, and how much was used. The exit code stays the program's: 137 when it was the victim.
void report_memory_kill(const cgroup::MemoryKill& kill);

// Prints `sandbox: warning: <text>` when the log level lets warnings through.
void warn(std::string_view text);

// The candidate that a mistyped word most likely meant; empty when none is near.
template <typename Candidates>
std::string_view nearest_word(std::string_view word, const Candidates& candidates);

// Number of single-letter insertions, deletions, replacements and swaps of neighbours between two words.
unsigned edit_distance(std::string_view from, std::string_view to);

// "512 MiB", "1.5 GiB", "900 bytes".
std::string size_in_words(uint64_t bytes);

// `name` for a terminal: control characters, backslashes and bytes that are no UTF-8 as \ooo, so that a
// hostile file name cannot steer it.
std::string printable(std::string_view name);

template <typename Candidates>
std::string_view nearest_word(std::string_view word, const Candidates& candidates) {
  std::string_view best;
  unsigned best_distance = word.size() < 5 ? 2 : 3;  // exclusive bound
  for (std::string_view candidate : candidates) {
    unsigned distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace sandbox::tools
