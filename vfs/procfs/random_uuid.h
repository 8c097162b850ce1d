// Random UUIDs for /proc/sys/kernel/random.
#pragma once

#include <string>

namespace sandbox::vfs {

// A new version 4 UUID in its usual spelling.
std::string random_uuid();

}  // namespace sandbox::vfs
