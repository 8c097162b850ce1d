// Writing the whole of a text, although write(2) may take less of it.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "sandbox/result.h"

namespace sandbox {

// At the file's own position. What came before the failure stays written.
// Errors: those of write(2) but EINTR; EIO when nothing more is taken.
Result<void> write_all(int file, std::string_view text);

// At `offset` (bytes), which leaves the position alone. Errors: those of pwrite(2) but EINTR; EIO as above.
Result<void> write_all_at(int file, std::string_view text, off_t offset);

}  // namespace sandbox
