// PassingOwners: owners of links, FIFOs and sockets on disks, which can hold no record, while a sandbox runs.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "vfs/core/types.h"
#include "vfs/hostfs/owner_record.h"

namespace sandbox::vfs {

// Safe for any thread. Only the latest kMost are known: a workload decides how many there are.
class PassingOwners {
 public:
  static constexpr size_t kMost = 65536;

  // `object` has its birth time: another object under the same number is another one.
  std::optional<OwnerRecord> find(const Attributes& object) const;
  void note(const Attributes& object, const OwnerRecord& owner);

 private:
  struct Key {
    uint64_t device, inode;
    int64_t born_at;  // seconds
    uint32_t born_at_ns;
    auto operator<=>(const Key&) const = default;
  };
  static Key key_of(const Attributes& object);

  mutable std::mutex lock_;
  std::map<Key, OwnerRecord> owners_;  // lock_
  std::deque<Key> order_;              // lock_; the oldest first
};

}  // namespace sandbox::vfs
