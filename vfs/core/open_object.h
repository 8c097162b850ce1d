// OpenObject: a node that is nothing but an open descriptor: a pipe, a socket, a memfd, an unnamed or deleted
// file.
#pragma once

#include "sandbox/id_map.h"
#include "vfs/core/dentry.h"

namespace sandbox::vfs {

// The file system that such nodes say they are in; it has no tree.
std::shared_ptr<Filesystem> create_anonymous_filesystem();

// Whether the object came into the sandbox from outside, open: then its attributes belong to the host.
enum class ObjectOrigin { kInside, kPassedIn };

// Owner and mode of objects by their descriptors alone, where the host's own are not what the workload shall
// see.
class ObjectOwners {
 public:
  virtual ~ObjectOwners() = default;
  // `attributes` are the host's.
  virtual void show(int fd, Attributes& attributes) const = 0;
  // Of owner, mode, size and times. Errors: those of the host calls.
  virtual Result<void> change(int fd, const AttributeChange& change) const = 0;
};

// `owners` is null where the maps say it all.
InodePtr create_open_object(Filesystem& filesystem, UniqueFd fd, mode_t type, ObjectOrigin origin,
                            const IdMap& uid_map, const IdMap& gid_map, const ObjectOwners* owners = nullptr);

// A directory or file that exists only as a mount point.
InodePtr create_mountpoint_node(Filesystem& filesystem, mode_t type, uint64_t inode_number);

}  // namespace sandbox::vfs
