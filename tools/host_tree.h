// Host trees: reading directories that an untrusted program filled, or may be changing, without following
// links.
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::tools {

// openat2(2) of a path relative to `root` that neither leaves it nor meets a symbolic link on the way; with
// O_PATH | O_NOFOLLOW the last component may be one. The empty path is the root itself.
// Errors: openat2's; ELOOP: a link is in the way.
Result<UniqueFd> open_beneath(int root, const std::string& path, int flags);

// lstat(2) of one name in a directory.
Result<struct stat> stat_name(int directory, const std::string& name);

// The names in a directory but `.` and `..`, sorted by bytes. `directory` must be open for reading.
Result<std::vector<std::string>> list_names(int directory);

// All extended attributes of one name in a directory, the name itself not followed. Empty where the file
// system has none.
using ExtendedAttributes = std::map<std::string, std::string>;
Result<ExtendedAttributes> extended_attributes(int directory, const std::string& name);

// A way to say "this descriptor's file" to calls that only know paths.
std::string proc_path(int fd);
std::string proc_path(int directory, const std::string& name);

// "a/b/c" -> {"a/b", "c"}; "c" -> {"", "c"}.
struct SplitPath {
  std::string parent, name;
};
SplitPath split_path(const std::string& path);

}  // namespace sandbox::tools
