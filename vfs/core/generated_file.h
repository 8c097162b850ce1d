// Generated files: private tmpfs files filled when opened and again whenever reading restarts at 0.
#pragma once

#include <array>
#include <functional>
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
  // Makes the text anew and puts it into the file that `host_fd` has open; the text. One file's refills
  // follow each other, so that none writes what is older. Errors: those of `make`, and the old text stays.
  Result<std::string> refill(int host_fd, ino_t inode, const std::function<Result<std::string>()>& make);

 private:
  static constexpr size_t kMaximumRemembered = 16384;
  struct Maker {
    MountPtr mount;
    DentryPtr dentry;
  };
  // The file of those with its remainder that was refilled last, ready to be written again.
  struct Refilled {
    std::mutex lock;  // held while a text is made: the tree lock is taken under it
    ino_t inode = 0;
    UniqueFd writer;
    std::string content;  // what the file holds
  };
  static constexpr size_t kRefilled = 16;

  UniqueFd directory_;
  std::array<Refilled, kRefilled> refilled_;
  dev_t device_ = 0;
  std::mutex lock_;
  std::list<uint64_t> order_;
  std::unordered_map<uint64_t, Maker> makers_;
};

}  // namespace sandbox::vfs
