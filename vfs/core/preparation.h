// Preparation: long work that a call needs done before it may take the tree lock for its change.
#pragma once

#include <atomic>
#include <memory>

#include "sandbox/result.h"

namespace sandbox::vfs {

// What a Vfs method fails with when it would have to do such work with the tree lock held. Nothing has
// changed that anybody can see. The thread then calls take_preparation(), runs what it got where it may wait,
// and makes the whole call again while it still holds it. No workload ever sees this number.
inline constexpr Errno kPrepareFirst{600};

class Preparation {
 public:
  virtual ~Preparation() = default;
  // No lock is held. May be run from several threads at once: the work is done once.
  // Errors: EINTR (cancelled), EIO, ENOSPC, EDQUOT, EFBIG.
  virtual Result<void> run(const std::atomic<bool>& is_cancelled) = 0;
};

// For the file system that needs it: `return prepare_first(...)`. Null: nothing but other calls' turn is due.
std::unexpected<Errno> prepare_first(std::shared_ptr<Preparation> preparation);
// What the last kPrepareFirst of this thread is about.
std::shared_ptr<Preparation> take_preparation();

}  // namespace sandbox::vfs
