// DirectoryListing: the entries of one directory in an order whose positions stay true while it is read and
// changed.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "vfs/core/types.h"

namespace sandbox::vfs {

// getdents64(2) gives every entry a position (d_off) to which lseek may return. Entries keep their
// slot for as long as their name exists; new names get new slots at the end; a removed name leaves a
// hole. Guarded by Dentry::listing_lock.
class DirectoryListing {
 public:
  // Takes over the directory's present entries; names that stayed keep their positions.
  void refresh(std::vector<DirectoryEntry> entries);
  void add(DirectoryEntry entry);
  void remove(std::string_view name);

  size_t slot_count() const { return slots_.size(); }
  // Null for a hole.
  const DirectoryEntry* slot(size_t index) const {
    return slots_[index].name.empty() ? nullptr : &slots_[index];
  }

 private:
  std::vector<DirectoryEntry> slots_;  // a hole has an empty name
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace sandbox::vfs
