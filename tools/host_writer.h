// HostWriter: carries changes of an upper out on the host, without ever following a link there.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/unique_fd.h"
#include "tools/upper_tree.h"

namespace sandbox::tools {

// Each path is reached from the target's root by openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, so
// a link that stands, or is put, where a directory was makes the change fail with ELOOP. A file is
// prepared under a temporary name beside its place and renamed over it: others see the old or the new one.
class HostWriter {
 public:
  static Parsed<HostWriter> open(const UpperTree& tree, const std::string& target);

  // Carries out one change. A directory must come before what it contains; what a directory shall be like
  // (mode, owner, times) is set by finish().
  Result<void> apply(const Change& change);
  // Sets the metadata of the directories applied so far, deepest first. Call it also after a failure.
  // On an error, `failed_path` is where.
  Result<void> finish(std::string* failed_path);

 private:
  HostWriter(const UpperTree& tree, UniqueFd target) : tree_(tree), target_(std::move(target)) {}

  struct Place {
    UniqueFd source_parent, target_parent;
    std::string name;
  };
  Result<Place> place_of(const std::string& path) const;
  Result<void> make_directory(const Place& place, const Change& change);
  Result<void> replace_file(const Place& place, const Change& change);
  Result<void> create(const Place& place, const Change& change, const std::string& temporary);
  Result<void> create_regular(const Place& place, const std::string& temporary);
  Result<void> create_special(const Place& place, const struct stat& status, const std::string& temporary);
  Result<void> remove(int parent, const std::string& name, dev_t device);

  const UpperTree& tree_;
  UniqueFd target_;
  std::vector<std::string> directories_;                           // made or changed, parents first
  std::map<std::pair<dev_t, ino_t>, std::string> applied_inodes_;  // of files with several names
};

}  // namespace sandbox::tools
