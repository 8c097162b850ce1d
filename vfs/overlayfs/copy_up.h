// Copying one object of a lower layer into the upper, complete before it is visible (fs/overlayfs/copy_up.c).
#pragma once

#include <atomic>

#include "vfs/overlayfs/work_directory.h"

namespace sandbox::vfs {

enum class CopiedData { kWhole, kNone };

// On a directory of the upper whose owner could not be copied: its owner is that of the one below it.
constexpr const char* kForeignOwnerXattr = "user.sandbox.foreign_owner";

// The attributes with the owner records of the two sides (OwnerMaps::record).
struct CopiedRecords {
  const char* source = nullptr;
  const char* target = nullptr;
};

// Copies what `source` names to the free name `target`: content with its holes (unless kNone), mode,
// owner, times and extended attributes; the times of the target's directory stay as they were.
// An owner that the sentry may not give is left, without set-ID bits; a directory is then marked with
// kForeignOwnerXattr. Errors: EEXIST, EACCES, ENOSPC, EDQUOT, EFBIG, EPERM (device node), EIO; nothing is
// left behind.
Result<void> copy_up(WorkDirectory& work, HostName source, HostName target, CopiedData data,
                     const CopiedRecords& records);
// The same with content that is there already, in `made`.
Result<void> finish_copy_up(WorkDirectory::Item& made, HostName source, HostName target,
                            const CopiedRecords& records);
// The content of a regular file with its holes; `is_cancelled` may be null.
// Errors: EINTR (cancelled), ESTALE (not a regular file), and those of copy_up.
Result<void> copy_content(int source, int target, const std::atomic<bool>* is_cancelled);
// Mode, owner, times and extended attributes alone, to an existing object of the same type.
Result<void> copy_attributes(HostName source, const Attributes& attributes, HostName target,
                             const CopiedRecords& records);

}  // namespace sandbox::vfs
