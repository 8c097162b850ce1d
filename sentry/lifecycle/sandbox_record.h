// SandboxRecord: what is written down of a running sandbox, for other commands and for who cleans up after
// it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/result.h"

namespace sandbox::lifecycle {

// A text of lines, each a word and its value; a later version may add words, which are then skipped.
struct SandboxRecord {
  std::string name;
  pid_t owner = 0;                  // the sentry
  uint64_t owner_start = 0;         // clock ticks after boot, field 22 of /proc/PID/stat (proc(5))
  int64_t started_s = 0;            // CLOCK_REALTIME
  std::vector<std::string> argv;    // of the program
  std::vector<std::string> groups;  // host paths of control groups that were made, or were about to be
  pid_t init = 0;                   // process 1 inside; 0: not started yet
  pid_t program = 0;
  int trace_signal = 0;  // asks the sentry to come to the meeting and be told what to trace; 0: it does not

  // The last component of each of `groups`: nobody else's group is called like this.
  std::string group_name() const;

  // Lines that cannot be understood, and an unfinished last one, are skipped.
  static SandboxRecord parse(std::string_view text);
};

// One line, newline included.
std::string record_line(std::string_view word, std::string_view value);
std::string record_words(std::string_view word, const std::vector<std::string>& values);

// Field 22 of /proc/PID/stat. Errors: ESRCH, ENODATA.
Result<uint64_t> start_time_of(pid_t pid);

// Whether the process with this number still is the one that started then, and has not exited.
bool is_alive(pid_t pid, uint64_t start_time);

// Letters, digits, `_`, `.` and `-`, the first a letter or digit; at most 64 bytes.
bool is_valid_name(std::string_view name);
// How a sandbox without a name is called: "@1234", by its sentry's pid. Never a valid name.
std::string name_without_name(pid_t owner);

}  // namespace sandbox::lifecycle
