// Reading small files of the host's /proc and /sys, without ever following a link.
#pragma once

#include <string>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::vfs {

// Opens `path` below `directory_fd` with `flags` (O_CLOEXEC is added). `path` is one of our own
// tables' words or made of numbers, never the workload's text.
// Errors: ELOOP (a link on the way), EXDEV (leads out), ENOENT, EACCES, ESRCH.
Result<UniqueFd> open_host_file(int directory_fd, const std::string& path, int flags);
// The whole content. Errors: open_host_file's, those of read.
Result<std::string> read_host_file(int directory_fd, const std::string& path);
// The names in a directory, "." and ".." left out, in the host's order.
Result<std::vector<std::string>> list_host_directory(int directory_fd, const std::string& path);
// The text of the link `path` itself. Errors: ENOENT, EINVAL, EACCES.
Result<std::string> read_host_link(int directory_fd, const std::string& path);

}  // namespace sandbox::vfs
