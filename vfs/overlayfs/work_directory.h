// WorkDirectory: where things are made complete before one rename puts them into the upper layer.
#pragma once

#include <atomic>

#include "vfs/hostfs/host_directory.h"

namespace sandbox::vfs {

class WorkDirectory {
 public:
  // `directory` is on the same mount as the upper layer.
  explicit WorkDirectory(UniqueFd directory) : directory_(std::move(directory)) {}

  // Removes all that an earlier, interrupted run left. Errors: the host's.
  Result<void> clear();
  int descriptor() const { return directory_.get(); }

  // A name of its own in the work directory; what is there when it goes is removed, directories with
  // all that they hold (which can only be whiteouts and markers).
  class Item {
   public:
    explicit Item(WorkDirectory& work);
    ~Item();
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;

    HostName host() const { return {work_.descriptor(), name_}; }
    // renameat2 to `target`; with RENAME_EXCHANGE the item then is what was there.
    Result<void> move_to(HostName target, unsigned flags);
    // renameat2 from `source`, a name that the upper shall no longer have.
    Result<void> take(HostName source);
    // Nothing has the name: nothing to remove at the end. And the opposite.
    void is_gone() { is_present_ = false; }
    void is_made() { is_present_ = true; }
    // Removes what is there now.
    void remove();

   private:
    WorkDirectory& work_;
    bool is_present_ = true;
    char name_[20];
  };

 private:
  UniqueFd directory_;
  std::atomic<uint64_t> next_{1};
};

// Removes `name` and, when it is a directory, everything in it, crossing no symbolic link. Errors: the
// host's.
Result<void> remove_host_tree(HostName name);

}  // namespace sandbox::vfs
