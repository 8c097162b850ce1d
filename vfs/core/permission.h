// Permission checks with a task's credentials (fs/namei.c: generic_permission, may_delete, and chmod/chown
// rules).
#pragma once

#include "vfs/core/types.h"

namespace sandbox::vfs {

// `mask`: R_OK|W_OK|X_OK. Owner, group, other bits, then CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. Errors:
// EACCES.
Result<void> check_permission(const Credentials& credentials, const Attributes& attributes, int mask);
// Owner or CAP_FOWNER. Errors: EPERM.
Result<void> check_owner(const Credentials& credentials, const Attributes& attributes);
// May `victim` be removed from `directory` (write and search, and the sticky bit). Errors: EACCES, EPERM.
Result<void> check_delete(const Credentials& credentials, const Attributes& directory,
                          const Attributes& victim);
// May a new name be made for the file (may_linkat with fs.protected_hardlinks=1, as distributions set it):
// by its owner, or when it is a plain file that the caller may read and write. Errors: EPERM.
Result<void> check_link_source(const Credentials& credentials, const Attributes& attributes);

}  // namespace sandbox::vfs
