// Remembers the owner of an object by what tells it from every other.
#include "vfs/hostfs/passing_owners.h"

#include <sys/sysmacros.h>

namespace sandbox::vfs {

PassingOwners::Key PassingOwners::key_of(const Attributes& object) {
  return {makedev(object.stx_dev_major, object.stx_dev_minor), object.stx_ino, object.stx_btime.tv_sec,
          object.stx_btime.tv_nsec};
}

std::optional<OwnerRecord> PassingOwners::find(const Attributes& object) const {
  std::lock_guard guard(lock_);
  auto found = owners_.find(key_of(object));
  if (found == owners_.end()) return std::nullopt;
  return found->second;
}

void PassingOwners::note(const Attributes& object, const OwnerRecord& owner) {
  std::lock_guard guard(lock_);
  if (!owners_.insert_or_assign(key_of(object), owner).second) return;
  order_.push_back(key_of(object));
  if (order_.size() <= kMost) return;
  owners_.erase(order_.front());
  order_.pop_front();
}

}  // namespace sandbox::vfs
