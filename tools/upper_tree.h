// UpperTree: what a kept run changed, read from the upper directory of its overlay.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/host_tree.h"
#include "tools/run_options.h"

namespace sandbox::tools {

// In what a modified path differs from the lower one; bits of Change::differences.
enum Difference : uint32_t {
  kDiffersInType = 1,
  kDiffersInContent = 2,  // also a symbolic link's target and a device's number
  kDiffersInMode = 4,
  kDiffersInOwner = 8,
  kDiffersInTimes = 16,  // the modification time; not of directories
  kDiffersInAttributes = 32,
};

struct Change {
  enum class Kind { kAdded, kModified, kDeleted } kind;
  std::string path;          // below the root, without a leading slash
  struct stat status;        // of the upper's file; of the lower's for kDeleted
  uint32_t differences = 0;  // for kModified
};

// An upper directory in the form of the kernel's overlayfs or of an OCI layer:
// - deleted: a character device 0:0, or an empty file with the attribute overlay.whiteout, or a regular
//   file named .wh.NAME;
// - opaque directory (nothing of the lower shows): overlay.opaque is "y", or it holds .wh..wh..opq;
// where attributes are trusted.overlay.* or user.overlay.*. Both attributes and other .wh..wh.* names are
// the overlay's own and appear nowhere below.
class UpperTree {
 public:
  // Reads all of `upper`, or of the "upper" in it when it is a directory that a run kept ("upper" and
  // "work" and nothing else), and compares it with `lower`. Fails where something cannot be read, and on
  // features whose files are not complete without their lower (metacopy, redirect).
  static Parsed<UpperTree> read(const std::string& upper, const std::string& lower);

  // Sorted so that a directory comes before what it contains. A deleted directory is one change; a path
  // that was copied to the upper and is as before is none.
  const std::vector<Change>& changes() const { return changes_; }
  // The upper directory, for open_beneath.
  int root() const { return upper_.get(); }

 private:
  class Reader;
  UniqueFd upper_, lower_;
  std::vector<Change> changes_;
};

// Whether an extended attribute is the overlay's bookkeeping and not the workload's.
bool is_overlay_attribute(std::string_view name);

// "file", "directory", "symlink", "fifo", "socket", "character device", "block device".
const char* type_name(mode_t mode);

// 'A', 'M' or 'D'.
char letter_of(Change::Kind kind);

// What a person should look at twice before it reaches the host: "setuid", "setgid", "device",
// "capabilities".
std::vector<const char*> risks_of(const UpperTree& tree, const Change& change);

}  // namespace sandbox::tools
