// Mounts that show the owners of their files as other ids (mount_setattr(2), MOUNT_ATTR_IDMAP).
#pragma once

#include "sandbox/id_map.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// A user namespace with nobody in it, for its maps alone. Outside ids that the caller's namespace lacks are
// left out. Errors: those of clone(2) and of writing the maps (EPERM, EINVAL).
Result<UniqueFd> make_user_namespace(const IdMap& users, const IdMap& groups);

enum class MappedMounts { kTopOnly, kWholeTree };

// What the files' own ids (inside) are shown as (outside), on a tree that was never mounted anywhere. Errors:
// ENOSYS before Linux 5.12; EPERM: the caller is not root where the file system was mounted, or its ids are
// mapped already; EINVAL: the file system cannot do it.
Result<void> map_ids_of_tree(const UniqueFd& tree, const UniqueFd& user_namespace, MappedMounts mounts);

}  // namespace sandbox::platform
