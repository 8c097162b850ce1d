// Small host files read and written whole, as /proc's are.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/result.h"

namespace sandbox::platform {

// Errors: those of open and read.
Result<std::string> read_host_file(const std::string& path);
// One write of an existing file. Errors: those of open and write.
Result<void> write_host_file(const std::string& path, std::string_view text);

}  // namespace sandbox::platform
