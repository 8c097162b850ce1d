// Binds that show the owners of their files as other ids, made while the runtime still has the host's rights.
#pragma once

#include <map>

#include "sandbox/host_mounter.h"
#include "sentry/failure.h"
#include "sentry/oci/container_config.h"

namespace sandbox::oci {

// By the entry of the configuration.
using MappedTrees = std::map<const MountEntry*, UniqueFd>;

// A copy of the source of each bind with ids of its own. The sentry's own id, which makes what the workload
// makes, stands for one of the disk's that nobody has: owners_of_mapped_tree() leaves it out. Failures name
// the mount, and what the kernel or the file system lacks.
Configured<MappedTrees> make_mapped_trees(HostMounter& mounter, const ContainerConfig& container);

// Of the workload's ids those that exist on such a mount.
IdMap owners_of_mapped_tree(const IdMap& workload, const IdMap& shown);

}  // namespace sandbox::oci
