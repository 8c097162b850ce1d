// TreeLock: the Vfs's reader-writer lock, which a thread that holds it may take again.
#pragma once

#include <shared_mutex>

#include "sandbox/check.h"

namespace sandbox::vfs {

// procfs nodes run under the lock and ask the sentry for paths, which asks the Vfs: the inner question
// finds the tree as the outer one holds it. A thread that only shares the lock can never get it alone.
class TreeLock {
 public:
  void lock() {
    if (held_ == Held::kNot) {
      mutex_.lock();
      held_ = Held::kAlone;
    }
    SANDBOX_CHECK(held_ == Held::kAlone, "a change of the tree inside a question about it");
    ++depth_;
  }
  void unlock() {
    if (--depth_ > 0) return;
    held_ = Held::kNot;
    mutex_.unlock();
  }
  void lock_shared() {
    if (held_ == Held::kNot) {
      mutex_.lock_shared();
      held_ = Held::kShared;
    }
    ++depth_;
  }
  void unlock_shared() {
    if (--depth_ > 0) return;
    held_ = Held::kNot;
    mutex_.unlock_shared();
  }

 private:
  enum class Held : unsigned char { kNot, kShared, kAlone };
  // There is one Vfs in a process, so a thread holds one such lock at most.
  static inline thread_local Held held_ = Held::kNot;
  static inline thread_local int depth_ = 0;
  std::shared_mutex mutex_;
};

}  // namespace sandbox::vfs
