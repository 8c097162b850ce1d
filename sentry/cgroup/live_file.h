// LiveFile: a file of the kernel's that stays open and tells the present at each read.
#pragma once

#include <span>
#include <string_view>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::cgroup {

class LiveFile {
 public:
  LiveFile() = default;
  // Not open when the directory has no such file.
  LiveFile(int directory, const char* name);

  bool is_open() const { return fd_.is_open(); }
  // The content from its start, cut off where `buffer` ends.
  // Errors: ENOENT (not open), ENODEV (its group is gone), those of read.
  Result<std::string_view> read(std::span<char> buffer) const;

 private:
  UniqueFd fd_;
};

}  // namespace sandbox::cgroup
