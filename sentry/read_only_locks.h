// ReadOnlyLocks: flock(2) on files of read-only mounts, where a real lock would be the host's.
#pragma once

#include <sys/types.h>

#include <list>
#include <mutex>

#include "sentry/call.h"

namespace sandbox {

// The lower files of an overlay and read-only binds are the host's own, and flock needs no right to write: a
// real lock could keep a host program waiting for ever. Here the lock belongs to the workload's open file
// description, of which a duplicate is kept; whether the workload still has it is looked for (kcmp(2) on the
// tasks' descriptors) when somebody wants what it holds. One that is only in a message on its way counts as
// closed.
class ReadOnlyLocks {
 public:
  explicit ReadOnlyLocks(const TaskTable& tasks) : tasks_(tasks) {}

  // Whether the descriptor is of a regular file on a read-only mount.
  static bool is_about(int fd);
  // As flock(2) with LOCK_NB. Errors: EINVAL, EWOULDBLOCK, ENOLCK (a kernel without kcmp).
  Result<void> lock(int file, int operation, int host_proc);

 private:
  static constexpr size_t kUncheckedLocks = 64;  // above this many, closed ones are looked for
  struct Lock {
    dev_t device;
    ino_t inode;
    UniqueFd file;
    bool is_exclusive;
  };

  // With lock_ held.
  bool is_open_inside(const Lock& lock, int host_proc) const;

  const TaskTable& tasks_;
  std::mutex lock_;
  std::list<Lock> locks_;
};

}  // namespace sandbox
