// DirectoryStubs: the empty directories whose descriptors stand for the VFS's directories in the workload.
#pragma once

#include <mutex>
#include <unordered_map>

#include "sandbox/host_mounter.h"
#include "vfs/core/dentry.h"

namespace sandbox::vfs {

// One stub a (mount, dentry); every open gets its own open file description of it, so that the
// kernel keeps the directory's read position and shares it over dup and fork. A stub names its
// directory by its inode number, wherever the descriptor travels.
class DirectoryStubs {
 public:
  static Result<std::unique_ptr<DirectoryStubs>> create(HostMounter& mounter);

  // A new descriptor of the stub of `directory`; `flags`: as F_GETFL is to show them.
  Result<UniqueFd> open(const Location& directory, int flags);
  // Nothing when the attributes are not those of a stub.
  std::optional<Location> find(dev_t device, ino_t inode) const;

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
  UniqueFd writable_;  // where stubs are made
  UniqueFd
      read_only_;  // the same directory through a read-only mount: what the workload's descriptors are on
  dev_t device_ = 0;
  mutable std::mutex lock_;
  uint64_t next_name_ = 0;
  std::unordered_map<Key, std::string, KeyHash> names_;
  std::unordered_map<ino_t, Location> locations_;
};

}  // namespace sandbox::vfs
