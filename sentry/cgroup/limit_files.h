// The files of a group that limits are written to, and the small files of a group that are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/cgroup/directories.h"
#include "sentry/cgroup/limits.h"

namespace sandbox::cgroup {

// A limit that could not be set, in words.
struct LimitFailure {
  LimitKind kind;
  std::string reason;  // "memory.max of /sys/fs/cgroup/box: Permission denied (EACCES)"
};

// Which controller enforces it.
Controller controller_of(LimitKind kind);

// Sets each limit that is asked for in the group that `groups` has for its controller. All are tried.
// A memory limit without one for swap sets that to twice as much, where the host counts swap.
std::vector<LimitFailure> write_limits(const CgroupDirectories& groups, const Limits& limits);

// Whole small files below a group's directory. Errors: those of openat, read, write.
Result<std::string> read_group_file(const GroupDirectory& group, const std::string& name);
Result<void> write_group_file(const GroupDirectory& group, const std::string& name, std::string_view text);
// A file that holds one number, or "max" (kUnlimited).
Result<uint64_t> read_group_number(const GroupDirectory& group, const std::string& name);
// The number behind `key` in a file of "key number" lines (memory.events, memory.oom_control). Errors:
// ENODATA.
Result<uint64_t> read_group_key(const GroupDirectory& group, const std::string& name, std::string_view key);

}  // namespace sandbox::cgroup
