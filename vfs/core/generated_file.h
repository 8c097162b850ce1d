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
  // A file holding `content` that nobody else has open, opened with the access mode of `flags`; it is the
  // workload's to read, and what it writes there nobody sees. Errors: ENOSPC, EMFILE.
  Result<UniqueFd> open(const Location& where, std::string_view content, int flags, mode_t permissions);
  // Where the file with these numbers was opened; nothing when it is none of ours.
  std::optional<Location> location_of(dev_t device, ino_t inode);
  // Makes the text anew and puts it into the file that `host_fd` has open; the text. One file's refills
  // follow each other, so that none writes what is older. Errors: those of `make`, and the old text stays.
  Result<std::string> refill(int host_fd, ino_t inode, const std::function<Result<std::string>()>& make);

 private:
  static constexpr size_t kMaximumRemembered = 16384;
  static constexpr size_t kReused = 16, kRefilled = 16;

  // What is known of a file that was handed out.
  struct Maker {
    Location where;
    bool is_read_only = false;
    std::optional<size_t> reused;  // the place in reused_ that it was made for
  };
  // A file that is kept open to be written again.
  struct Writable {
    std::mutex lock;  // refill holds it while a text is made: the tree lock is taken under it
    ino_t inode = 0;  // 0: none
    UniqueFd writer;
    std::string content;  // what the file holds
  };
  // A file with a name, for a node that is opened again and again: once its last reader has closed it, the
  // next one gets it, which costs less than a new one. `lock` is only ever tried with the tree lock held.
  struct Reused : Writable {
    Location where;
    const Dentry* refused = nullptr;  // who last wanted this place
  };

  Result<UniqueFd> open_new(const Location& where, std::string_view content, int flags, mode_t permissions);
  // A reading descriptor of the file of `where`. Errors: EBUSY (somebody has it open, or another node has its
  // place), those of the calls.
  Result<UniqueFd> open_reused(const Location& where, std::string_view content, int flags);
  // With its lock. Makes the file at `place` that of `where`; whoever has the old one open keeps it.
  Result<void> give_place(size_t place, const Location& where);
  void retire(size_t place);
  std::optional<Maker> maker_of(ino_t inode);
  // With lock_.
  void age(ino_t inode);

  UniqueFd directory_;
  std::array<Reused, kReused> reused_;        // by dentry
  std::array<Writable, kRefilled> refilled_;  // files without a name that were refilled last; by inode number
  dev_t device_ = 0;
  std::mutex lock_;
  std::list<ino_t> order_;                   // lock_; of files without a name, the newest first
  std::unordered_map<ino_t, Maker> makers_;  // lock_
};

}  // namespace sandbox::vfs
