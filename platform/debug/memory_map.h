// MemoryMap: the mappings of a process, as /proc/PID/maps tells them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sandbox::platform {

struct Mapping {
  uint64_t begin = 0, end = 0;
  uint64_t offset = 0;  // in the file
  dev_t device = 0;
  ino_t inode = 0;
  bool is_executable = false;
  std::string permissions;  // "r-xp"
  std::string name;         // a path, "[stack]", or empty

  bool contains(uint64_t address) const { return address >= begin && address < end; }
  bool is_file() const { return name.starts_with('/'); }
};

class MemoryMap {
 public:
  MemoryMap() = default;
  // Lines that cannot be understood are left out.
  static MemoryMap parse(std::string_view text);

  std::span<const Mapping> mappings() const { return mappings_; }  // ascending
  // Gives each mapping of a file the name that `name_of` makes of it.
  template <typename NameOf>
  void rename_files(NameOf name_of) {
    for (Mapping& mapping : mappings_)
      if (mapping.is_file()) mapping.name = name_of(mapping);
  }
  // Null when nothing is mapped there.
  const Mapping* find(uint64_t address) const;
  // Whether code lies in any of these bytes.
  bool has_code_in(uint64_t begin, uint64_t end) const;
  // In words: "in /lib/libc.so.6 (r-xp) at +0x1f2", "nothing is mapped there; 0x10 bytes above the end of
  // [heap] (rw-p)".
  std::string describe(uint64_t address) const;

 private:
  std::vector<Mapping> mappings_;
};

}  // namespace sandbox::platform
