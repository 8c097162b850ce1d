// Binds that show the owners of their files as other ids, or note accesses otherwise than the host, made
// while the runtime still has the host's rights.
#pragma once

#include <map>

#include "sandbox/host_mounter.h"
#include "sentry/failure.h"
#include "sentry/oci/container_config.h"

namespace sandbox::oci {

// By the entry of the configuration.
using PreparedTrees = std::map<const MountEntry*, UniqueFd>;

// A copy of the source of each bind with ids of its own, or with access times where the host's root asks. The
// sentry's own id, which makes what the workload makes, stands for one of the disk's that nobody has:
// owners_of_mapped_tree() leaves it out. Failures name the mount, and what the kernel or the file system
// lacks.
Configured<PreparedTrees> make_prepared_trees(HostMounter& mounter, const ContainerConfig& container);

// What the flags say of access times beyond the default, as MOUNT_ATTR_*; 0: nothing.
uint64_t access_times_of(const vfs::MountFlags& flags);

// Of the workload's ids those that exist on such a mount.
IdMap owners_of_mapped_tree(const IdMap& workload, const IdMap& shown);

}  // namespace sandbox::oci
