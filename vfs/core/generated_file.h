// Generated files: private tmpfs files filled when opened and again whenever reading restarts at 0.
#pragma once

#include <list>
#include <mutex>
#include <unordered_map>

#include "vfs/core/types.h"

namespace sandbox::vfs {

// Keeps which node made which file, by the file's inode number; bounded: the oldest are forgotten,
// and a forgotten file keeps its last content.
class GeneratedFiles {
 public:
  // `directory`: of a tmpfs only the sentry can name.
  explicit GeneratedFiles(UniqueFd directory);
  // A new unnamed file holding `content`, opened with the access mode of `flags`; it is the workload's
  // to read, and what it writes there nobody sees. Errors: ENOSPC, EMFILE.
  Result<UniqueFd> open(const Location& where, std::string_view content, int flags, mode_t permissions);
  // Where the file with these numbers was opened; nothing when it is none of ours.
  std::optional<Location> location_of(dev_t device, ino_t inode);
  // Replaces the whole content; a reader at offset 0 sees the old or the new text, never a mixture of
  // lengths.
  static Result<void> replace_content(int file, std::string_view content);

 private:
  static constexpr size_t kMaximumRemembered = 16384;
  struct Maker {
    MountPtr mount;
    DentryPtr dentry;
  };
  UniqueFd directory_;
  dev_t device_ = 0;
  std::mutex lock_;
  std::list<uint64_t> order_;
  std::unordered_map<uint64_t, Maker> makers_;
};

}  // namespace sandbox::vfs
