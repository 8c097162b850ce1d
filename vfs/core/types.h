// The vocabulary of the VFS: who asks, what a node looks like, what an open yields.
#pragma once

#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/credentials.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::vfs {

class Dentry;
class Filesystem;
class Inode;
class Mount;
using InodePtr = std::shared_ptr<Inode>;
using DentryPtr = std::shared_ptr<Dentry>;
using MountPtr = std::shared_ptr<Mount>;

// The kernel's own attribute record (statx(2)). All ids in the VFS are the workload's.
using Attributes = struct ::statx;

// A place in the tree: a dentry as seen through a mount (the kernel's struct path).
struct Location {
  MountPtr mount;
  DentryPtr dentry;

  explicit operator bool() const { return dentry != nullptr; }
  bool operator==(const Location&) const = default;
};

// Who makes a call: all that a walk and a permission check need of a task. Lives as long as the call.
struct Caller {
  Location root;
  Location cwd;
  const Credentials& credentials;
  mode_t umask = 022;
  pid_t host_tid = 0;  // for /proc/self
};

// What to create. `mode` carries the type (S_IFMT) and permissions with the umask already applied.
struct NewNode {
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t device = 0;            // S_IFCHR and S_IFBLK
  std::string symlink_target;  // S_IFLNK
};

// Which attributes to change; tv_nsec may be UTIME_NOW (utimensat(2)).
struct AttributeChange {
  std::optional<mode_t> mode;  // permission bits only (07777)
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<uint64_t> size;
  std::optional<timespec> atime, mtime;
};

struct DirectoryEntry {
  std::string name;
  uint64_t inode;
  uint8_t type;  // DT_*
};

// One entry as getdents64 returns it; `next_position` is its d_off.
struct ListedEntry {
  const DirectoryEntry& entry;
  uint64_t next_position;
};

enum class FollowLast { kNo, kYes };

}  // namespace sandbox::vfs
