// Reading and writing /proc/PID/{uid,gid}_map.
#pragma once

#include <sys/types.h>

#include <string>

#include "sandbox/id_map.h"
#include "sandbox/result.h"

namespace sandbox::platform {

enum class IdKind { kUser, kGroup };

// The map of this process's user namespace: inside it, and outside as its parent numbers it.
// Errors: those of open and read; EINVAL when the file is not as user_namespaces(7) says.
Result<IdMap> read_own_id_map(IdKind kind);

// The lines for a child namespace that maps as `wanted` does, for the ids this namespace has.
std::string id_map_lines(const IdMap& wanted, const IdMap& own);

// Errors: those of open and write (EPERM: the caller may not map these ids).
Result<void> write_id_map(pid_t pid, IdKind kind, const std::string& lines);

}  // namespace sandbox::platform
