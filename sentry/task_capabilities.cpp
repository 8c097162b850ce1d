// The rules by which a task's capabilities change.
#include "sentry/task_capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>

namespace sandbox {
namespace {

constexpr uint64_t bit(uint64_t capability) { return uint64_t{1} << capability; }

// CAP_FS_SET: what an id for files alone takes and gives.
constexpr uint64_t kFilesystemSet = bit(CAP_CHOWN) | bit(CAP_MKNOD) | bit(CAP_DAC_OVERRIDE) |
                                    bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
                                    bit(CAP_LINUX_IMMUTABLE) | bit(CAP_MAC_OVERRIDE);

bool is_subset(uint64_t set, uint64_t of) { return (set & ~of) == 0; }

bool has_root(const TaskCapabilities::Users& users) {
  return users.real == 0 || users.effective == 0 || users.saved == 0;
}

Result<uint64_t> set_of(uint64_t capability) {
  if (capability > CAP_LAST_CAP) return err(EINVAL);
  return bit(capability);
}

}  // namespace

void TaskCapabilities::follow_users(const Users& before, const Users& after) {
  if (has_secure_bit(SECBIT_NO_SETUID_FIXUP)) return;
  if (has_root(before) && !has_root(after)) {
    if (!has_secure_bit(SECBIT_KEEP_CAPS)) sets.permitted = sets.effective = 0;
    sets.ambient = 0;
  }
  if (before.effective == 0 && after.effective != 0) sets.effective = 0;
  if (before.effective != 0 && after.effective == 0) sets.effective = sets.permitted;
}

void TaskCapabilities::follow_filesystem_user(uint32_t before, uint32_t after) {
  if (has_secure_bit(SECBIT_NO_SETUID_FIXUP)) return;
  if (before == 0 && after != 0) sets.effective &= ~kFilesystemSet;
  if (before != 0 && after == 0) sets.effective |= kFilesystemSet & sets.permitted;
}

void TaskCapabilities::follow_exec(const Users& users) {
  const bool heeds_root = !has_secure_bit(SECBIT_NOROOT);
  const bool is_root = heeds_root && users.effective == 0;
  uint64_t gained = 0;
  if (is_root || (heeds_root && users.real == 0)) gained = sets.bounding | sets.inheritable;
  sets.permitted &= gained | sets.ambient;
  sets.effective = is_root ? sets.permitted : sets.ambient;
  secure_bits &= ~uint32_t{SECBIT_KEEP_CAPS};
}

Result<void> TaskCapabilities::set(uint64_t permitted, uint64_t effective, uint64_t inheritable) {
  const bool may_set = has(CAP_SETPCAP);
  if (!may_set && !is_subset(inheritable, sets.inheritable | sets.permitted)) return err(EPERM);
  if (!is_subset(inheritable, sets.inheritable | sets.bounding)) return err(EPERM);
  if (!is_subset(permitted, sets.permitted) || !is_subset(effective, permitted)) return err(EPERM);
  sets.permitted = permitted;
  sets.effective = effective;
  sets.inheritable = inheritable;
  sets.ambient &= permitted & inheritable;
  return {};
}

Result<void> TaskCapabilities::keep_over_users(uint64_t is_kept) {
  if (is_kept > 1) return err(EINVAL);
  if (has_secure_bit(SECBIT_KEEP_CAPS_LOCKED)) return err(EPERM);
  secure_bits = (secure_bits & ~uint32_t{SECBIT_KEEP_CAPS}) | (is_kept != 0 ? SECBIT_KEEP_CAPS : 0);
  return {};
}

Result<int64_t> TaskCapabilities::is_bounding(uint64_t capability) const {
  return (sets.bounding & TRY(set_of(capability))) != 0 ? 1 : 0;
}

Result<void> TaskCapabilities::drop_bounding(uint64_t capability) {
  if (!has(CAP_SETPCAP)) return err(EPERM);
  sets.bounding &= ~TRY(set_of(capability));
  return {};
}

Result<void> TaskCapabilities::set_secure_bits(uint64_t bits) {
  const uint64_t locked = (secure_bits & SECURE_ALL_LOCKS) >> 1;
  const bool changes_locked = (locked & (secure_bits ^ bits)) != 0;
  const bool unlocks = (secure_bits & SECURE_ALL_LOCKS & ~bits) != 0;
  const bool is_unknown = (bits & ~uint64_t{SECURE_ALL_LOCKS | SECURE_ALL_BITS}) != 0;
  if (changes_locked || unlocks || is_unknown || !has(CAP_SETPCAP)) return err(EPERM);
  secure_bits = static_cast<uint32_t>(bits);
  return {};
}

Result<int64_t> TaskCapabilities::ambient(uint64_t operation, uint64_t capability) {
  if (operation == PR_CAP_AMBIENT_CLEAR_ALL) {
    if (capability != 0) return err(EINVAL);
    sets.ambient = 0;
    return 0;
  }
  const uint64_t one = TRY(set_of(capability));
  switch (operation) {
    case PR_CAP_AMBIENT_IS_SET:
      return (sets.ambient & one) != 0 ? 1 : 0;
    case PR_CAP_AMBIENT_LOWER:
      sets.ambient &= ~one;
      return 0;
    case PR_CAP_AMBIENT_RAISE:
      if (!is_subset(one, sets.permitted & sets.inheritable) || has_secure_bit(SECBIT_NO_CAP_AMBIENT_RAISE))
        return err(EPERM);
      sets.ambient |= one;
      return 0;
    default:
      return err(EINVAL);
  }
}

}  // namespace sandbox
