// DirectoryListing: stable positions for readers of a directory.
#include "vfs/core/directory_listing.h"

#include <unordered_set>

namespace sandbox::vfs {

void DirectoryListing::refresh(std::vector<DirectoryEntry> entries) {
  size_t holes = slots_.size() - index_.size();
  if (holes > 2 * index_.size() + 1024) {
    slots_.clear();
    index_.clear();
  }
  std::unordered_set<std::string_view> present;
  present.reserve(entries.size());
  for (const auto& entry : entries) present.insert(entry.name);
  for (auto& slot : slots_) {
    if (!slot.name.empty() && !present.contains(slot.name)) {
      index_.erase(slot.name);
      slot.name.clear();
    }
  }
  present.clear();  // its views die with the moves below
  for (auto& entry : entries) add(std::move(entry));
}

void DirectoryListing::add(DirectoryEntry entry) {
  auto [place, is_new] = index_.try_emplace(entry.name, slots_.size());
  if (is_new) {
    slots_.push_back(std::move(entry));
  } else {
    slots_[place->second] = std::move(entry);
  }
}

void DirectoryListing::remove(std::string_view name) {
  auto found = index_.find(std::string(name));
  if (found == index_.end()) return;
  slots_[found->second].name.clear();
  index_.erase(found);
}

}  // namespace sandbox::vfs
