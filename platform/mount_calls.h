// The mount API of Linux 5.2 and later as calls with Result; glibc 2.36 has only some of them.
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// Errors: those of open_tree(2). The copy includes everything mounted below: without that Linux refuses a
// tree whose mounts came from a more privileged namespace (EINVAL), because it would show what they cover.
inline Result<UniqueFd> copy_mount_tree(int directory, const char* path) {
  long fd = syscall(SYS_open_tree, directory, path,
                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH | AT_NO_AUTOMOUNT);
  if (fd < 0) return last_error();
  return UniqueFd(static_cast<int>(fd));
}

// Errors: ENODEV (no such file system), EPERM.
inline Result<UniqueFd> open_file_system(const char* type) {
  long fd = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (fd < 0) return last_error();
  return UniqueFd(static_cast<int>(fd));
}

inline Result<void> set_file_system_option(const UniqueFd& context, const char* key, const char* value) {
  return host_status(syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key, value, 0));
}

// Creates the file system that was described and mounts it nowhere. `attributes`: MOUNT_ATTR_*.
inline Result<UniqueFd> mount_detached(const UniqueFd& context, unsigned attributes) {
  TRY(host_status(syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0)));
  long fd = syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes);
  if (fd < 0) return last_error();
  return UniqueFd(static_cast<int>(fd));
}

inline Result<void> attach_mount(const UniqueFd& mount, const char* place) {
  return host_status(syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH));
}

// Gives every mount of the tree the MOUNT_ATTR_* `access_times` (MOUNT_ATTR__ATIME, MOUNT_ATTR_NODIRATIME).
// Errors: ENOSYS before Linux 5.12; EPERM (they came from a more privileged namespace).
inline Result<void> set_access_times(const UniqueFd& tree, uint64_t access_times) {
  mount_attr change{};
  change.attr_set = access_times;
  change.attr_clr = MOUNT_ATTR__ATIME;
  return host_status(
      syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change));
}

// Adds `attributes` to every mount of the tree. Errors: ENOSYS before Linux 5.12.
inline Result<void> add_tree_attributes(const UniqueFd& tree, uint64_t attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  return host_status(
      syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change));
}

}  // namespace sandbox::platform
