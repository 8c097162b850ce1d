// Host system calls on one name of one host directory; none of them follows a symbolic link or blocks on a
// FIFO.
#pragma once

#include <fcntl.h>

#include <functional>
#include <memory>

#include "sandbox/id_map.h"
#include "vfs/core/types.h"
#include "vfs/hostfs/owner_record.h"
#include "vfs/hostfs/passing_owners.h"

namespace sandbox::vfs {

// An object of the host: `name` (one component) in the directory open as `directory`, or with name ""
// the object that the O_PATH descriptor itself refers to. Owner ids here are the sentry's.
struct HostName {
  int directory;
  const char* name;

  int empty_path_flag() const { return *name == '\0' ? AT_EMPTY_PATH : 0; }
};

// One component, NUL-terminated for the kernel. Names longer than NAME_MAX become ones that are not found.
class TerminatedName {
 public:
  explicit TerminatedName(std::string_view name);
  const char* c_str() const { return text_; }

 private:
  char text_[NAME_MAX + 2];
};

// Which objects may appear under a name between two calls of ours.
enum class HostChanges { kOnlyOurs, kByOthers };

// How the ids of the host relate to those the workload knows.
struct OwnerMaps {
  IdMap users = IdMap::identity();
  IdMap groups = IdMap::identity();
  // The attribute with the OwnerRecord of what the host cannot hold; null: there are none, and an id without
  // a place in the maps is an error.
  const char* record = nullptr;
  // Where links, FIFOs and sockets on disks have theirs.
  std::shared_ptr<PassingOwners> passing = nullptr;

  // What is kept of an object whose attributes on the host are `object`.
  std::optional<OwnerRecord> record_of(HostName name, const Attributes& object) const;
  void translate(Attributes& attributes) const;
  // The same, and what the object's record says. Errors: none that matter, a record that is none does not
  // count.
  void show(HostName name, Attributes& attributes) const;
  // Whether the host's own attributes say all of `owner` for an object of this type.
  bool can_hold(const OwnerRecord& owner, mode_t type) const;
  // Links, FIFOs and sockets have no record on a disk.
  bool has_record_for(mode_t type) const;
  // Notes what the host cannot hold of `object`'s owner. Errors: those of host_write_record.
  Result<void> keep(HostName name, const Attributes& object, const OwnerRecord& owner) const;
};

// A node with the sentry's ids, and what of its owner and mode they cannot say.
struct HostNode {
  NewNode node;
  std::optional<OwnerRecord> record;
  const OwnerMaps* maps = nullptr;  // that keep the record
};

// Where a file system keeps records of which kind.
std::optional<OwnerRecord> host_read_record(HostName name, const char* attribute);
// Errors: EOPNOTSUPP, ENOSPC.
Result<void> host_write_record(HostName name, const char* attribute, const OwnerRecord& record);

// statx(2) of everything an Attributes has; the mount id is left out. Errors: ENOENT, EACCES.
Result<Attributes> host_attributes(HostName name);
// openat(2) that follows no link, with O_CLOEXEC and O_NOCTTY; when the sentry is out of descriptors, idle
// directories are closed and the call is made again.
Result<UniqueFd> host_open(HostName name, int flags, mode_t mode = 0);
// Opens what a look-up found to be of `type` (not a directory) with a workload's flags (Inode::open).
// Errors: ELOOP (symbolic link), ENXIO (socket; FIFO without a reader), ESTALE (it is of another type now).
Result<UniqueFd> host_open_for_workload(HostName name, mode_t type, int flags, HostChanges changes);
// The same for a file just created by the caller, whose own mode need not let the sentry in (open(2):
// the mode applies to future accesses only).
Result<UniqueFd> host_open_created(HostName name, int flags);
Result<std::string> host_readlink(HostName name);

// Applies a change whose ids are the workload's. Errors: EINVAL (id without a mapping), EPERM, EACCES,
// EOPNOTSUPP.
Result<void> host_change(HostName name, const AttributeChange& change, const OwnerMaps& maps);
Result<void> host_chmod(HostName name, mode_t mode);
Result<void> host_chown(HostName name, uid_t uid, gid_t gid);
Result<void> host_set_times(HostName name, const timespec& atime, const timespec& mtime);

// `node` with the sentry's ids, or with a record. A group without a mapping is still right when the
// set-group-ID directory `parent` hands it down (fs/inode.c: inode_init_owner). Errors: EOVERFLOW (id without
// a mapping).
Result<HostNode> host_node_below(const NewNode& node, HostName parent, const OwnerMaps& maps);
// Creates `node` (ids the sentry's) with exactly its mode and owner whatever the sentry's umask, or nothing
// at all. Errors: EEXIST, EPERM (device other than character 0:0), and the host's. Returns what was made.
Result<Attributes> host_make(HostName name, const NewNode& node);
Result<Attributes> host_make(HostName name, const HostNode& node);
// Makes owner and mode of an object just created what `node` says. Errors: EPERM.
Result<void> host_finish_node(HostName name, const Attributes& made, const NewNode& node);
// O_TMPFILE in `directory`. Errors: EOPNOTSUPP.
Result<UniqueFd> host_make_unnamed(int directory, int flags, const HostNode& node);
Result<void> host_link_unnamed(int object, HostName name);

// Extended attributes (xattr(7)) as the sentry sees them, unfiltered. Errors: ENODATA, EOPNOTSUPP, ERANGE.
Result<std::string> host_getxattr(HostName name, const std::string& attribute);
Result<void> host_setxattr(HostName name, const std::string& attribute, std::string_view value, int flags);
Result<std::vector<std::string>> host_listxattr(HostName name);
Result<void> host_removexattr(HostName name, const std::string& attribute);
// What a workload may read (all but trusted.*) and change (user.* only).
bool workload_may_read_xattr(std::string_view attribute);
// Errors: EPERM (trusted.*, security.*), EOPNOTSUPP.
Result<void> workload_may_change_xattr(std::string_view attribute);

// Calls `take` for each entry but "." and "..", in the host's order; it returns false to stop.
using TakeEntry = std::function<bool(const char* name, uint64_t inode, uint8_t type)>;
Result<void> host_list(int directory, const TakeEntry& take);

// The path below the directory `root` of what `object` refers to, when that was opened through the
// same mounts; checked by walking there, so a name with " (deleted)" in it cannot mislead.
std::optional<std::string> host_path_below(int root, int object);
// The path of /proc/self/fd/N, for calls that take only paths.
std::string path_of_own_descriptor(int fd);
// "ext4" for a statfs f_type; "unknown" for one we have no name for.
std::string filesystem_type_name(long magic);

}  // namespace sandbox::vfs
