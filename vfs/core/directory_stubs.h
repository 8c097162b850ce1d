// DirectoryStubs: the empty directories whose descriptors stand for the VFS's directories in the workload.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "sandbox/host_mounter.h"
#include "vfs/core/dentry.h"

namespace sandbox::vfs {

// One stub a (mount, dentry); every open gets its own open file description of it, so that the
// kernel keeps the directory's read position and shares it over dup and fork. A stub names its
// directory by its inode number, wherever the descriptor travels.
//
// Above kKeptStubs the oldest lose their names; inotify(7) tells when the last descriptor of such a one is
// closed, in a message too, and only then is it forgotten. Where there is no inotify, none ever is.
class DirectoryStubs {
 public:
  static Result<std::unique_ptr<DirectoryStubs>> create(HostMounter& mounter);

  // A new descriptor of the stub of `directory`; `flags`: as F_GETFL is to show them.
  Result<UniqueFd> open(const Location& directory, int flags);
  // Nothing when the attributes are not those of a stub.
  std::optional<Location> find(dev_t device, ino_t inode) const;

  static constexpr size_t kKeptStubs = 1024;
  // How many directories are known, with and without a name.
  size_t size() const;

 private:
  DirectoryStubs() = default;

  struct Key {
    const Mount* mount;
    const Dentry* dentry;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return std::hash<const void*>()(key.dentry) * 31 + std::hash<const void*>()(key.mount);
    }
  };
  struct Stub {
    Key key;
    ino_t inode;
  };
  struct Forgotten {
    std::vector<Location> locations;
    std::vector<DentryPtr> unread;  // of these, what no other stub stands for
  };

  // With lock_ held. Errors: those of mkdir.
  Result<std::string> name_of(const Location& directory);
  Forgotten take_old_names();
  Forgotten take_closed();

  UniqueFd writable_;  // where stubs are made
  UniqueFd
      read_only_;  // the same directory through a read-only mount: what the workload's descriptors are on
  dev_t device_ = 0;
  mutable std::mutex lock_;
  uint64_t next_name_ = 0;
  std::unordered_map<Key, std::string, KeyHash> names_;
  std::deque<Stub> by_age_;  // those of names_
  std::unordered_map<ino_t, Location> locations_;
  std::unordered_map<const Dentry*, unsigned> stubs_of_;  // how many of locations_
  UniqueFd closings_;                                     // inotify, opened when first needed
  std::unordered_map<int, ino_t> nameless_;               // watch to stub
};

}  // namespace sandbox::vfs
