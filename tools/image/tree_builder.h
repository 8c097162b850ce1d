// TreeBuilder: makes the files of one layer's entries below a directory, whatever the entries say.
#pragma once

#include <time.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/unique_fd.h"
#include "tools/image/layer_stream.h"
#include "vfs/hostfs/owner_record.h"

namespace sandbox::tools::image {

// What one layer may take. A bomb ends there, and what it made is removed.
struct LayerLimits {
  uint64_t content_bytes;                   // of all files, holes not counted
  uint64_t entries;                         // also what they make besides, as missing directories
  uint64_t file_bytes = uint64_t{1} << 40;  // the size that one file shows, holes counted
};

// The policy for what no honest layer has:
// - refused, with the entry's name: `..` in a name or in a hard link's target, names longer than the
//   kernel takes, a name below something that is no directory (a symbolic link above all), a hard link to
//   what the layer does not have or to a directory, an unknown type, the limits;
// - taken as relative to the root: absolute names;
// - the last one counts: the same name twice;
// - no device is made: where owners are recorded, an empty file with a record stands for it;
// - dropped: sockets' and others' extended attributes but user.* and security.capability, and of those
//   the ones by which overlays and owner records are kept; aufs's own `.wh..wh.` names.
// Whiteouts stay as `.wh.NAME` and `.wh..wh..opq`, which the overlay understands.
//
// Words of failures have names as they are in them: whoever prints them makes them printable.
class TreeBuilder {
 public:
  enum class Ownership {
    kNative,    // the files get their owners
    kRecorded,  // they stay the caller's, and have owner records
  };
  // `root`: the empty directory to fill; it must outlive this.
  TreeBuilder(int root, Ownership ownership, const LayerLimits& limits)
      : root_(root), ownership_(ownership), limits_(limits) {}

  // `entry` is the one that `reader` stands at; its content is read from there.
  Worded<void> add(archive* reader, archive_entry* entry);
  // After the last entry: what making files in them did to directories.
  Worded<void> finish();

 private:
  struct Place {
    UniqueFd directory;
    std::string path, name;  // the whole path; its last component
  };
  struct Attributes;

  Worded<Place> place_of(const std::string& path);
  // The directory at `path`, made as far as it is missing.
  Worded<UniqueFd> directory_at(const std::string& path);
  Worded<UniqueFd> descend(int directory, const std::string& name, const std::string& path);
  Worded<void> make_room(const Place& place, mode_t type);
  Worded<void> add_directory(const Place& place, const Attributes& attributes);
  Worded<void> add_file(const Place& place, const Attributes& attributes, archive* reader);
  Worded<void> add_special(const Place& place, const Attributes& attributes, archive_entry* entry);
  Worded<void> add_hard_link(const Place& place, const std::string& target);
  Worded<void> add_whiteout(const Place& place);
  Worded<void> write_content(int file, const std::string& path, archive* reader, uint64_t size);
  // Owner, mode, extended attributes and times of what is open as `file`.
  Worded<void> finish_object(int file, const std::string& path, const Attributes& attributes);
  Worded<void> set_owner(int file, const std::string& path, const vfs::OwnerRecord& record);

  const int root_;
  const Ownership ownership_;
  const LayerLimits limits_;
  uint64_t bytes_ = 0, entries_ = 0;
  std::vector<std::pair<std::string, timespec>> directory_times_;
};

}  // namespace sandbox::tools::image
