// Filesystem: one mounted instance of a kind of file system (the kernel's super_block).
#pragma once

#include <sys/statfs.h>

#include <string>

#include "vfs/core/inode.h"

namespace sandbox::vfs {

// How long a dentry may be believed.
enum class CachePolicy {
  kTrust,       // only the sandbox changes it: positive and negative entries stay
  kRevalidate,  // others may change it: Inode::is_current is asked
  kNever,       // made up at each look-up (/proc/PID)
};

class Filesystem {
 public:
  Filesystem(std::string type, CachePolicy policy) : type_(std::move(type)), policy_(policy) {}
  virtual ~Filesystem() = default;
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  const std::string& type() const { return type_; }  // "overlay", "tmpfs", "proc" as in mountinfo
  CachePolicy cache_policy() const { return policy_; }

  virtual InodePtr root() = 0;  // a directory, or for a bind of one file that file
  virtual Result<struct statfs> statfs() = 0;
  // Whether what is written here takes memory, and no disk.
  virtual bool is_in_memory() { return false; }
  // Whether a device that cannot be made is kept as one that is only shown.
  virtual bool shows_devices() const { return false; }
  // Third field of mountinfo, the device of directories of this file system.
  virtual dev_t device() = 0;
  // What mountinfo prints as source and as super options ("overlay", "rw,size=65536k").
  virtual std::string source() { return type_; }
  virtual std::string options() { return "rw"; }
  // Whether a directory here can hold a name for what is yet to be made. proc's cannot: its look-up of a
  // missing name is ENOENT before anybody asks for permission, whatever the call.
  virtual bool holds_missing_names() const { return true; }
  // The path below this file system's root ("/a/b", "/" for the root) of a real descriptor that it
  // opened, found from the descriptor itself; nothing when the descriptor is not from here.
  virtual std::optional<std::string> path_of_descriptor(int) { return std::nullopt; }

 private:
  std::string type_;
  CachePolicy policy_;
};

}  // namespace sandbox::vfs
