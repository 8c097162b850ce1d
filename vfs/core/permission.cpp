// Permission checks with a task's credentials.
#include "vfs/core/permission.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sandbox::vfs {

Result<void> check_permission(const Credentials& credentials, const Attributes& attributes, int mask) {
  int granted;
  if (credentials.fsuid == attributes.stx_uid) {
    granted = attributes.stx_mode >> 6;
  } else if (credentials.is_in_group(attributes.stx_gid)) {
    granted = attributes.stx_mode >> 3;
  } else {
    granted = attributes.stx_mode;
  }
  if ((mask & ~granted & 7) == 0) return {};

  bool is_directory = S_ISDIR(attributes.stx_mode);
  bool can_execute = is_directory || (attributes.stx_mode & 0111);
  if (credentials.has_capability(CAP_DAC_OVERRIDE) && (!(mask & X_OK) || can_execute)) return {};
  int readable = is_directory ? R_OK | X_OK : R_OK;
  if (credentials.has_capability(CAP_DAC_READ_SEARCH) && !(mask & ~readable)) return {};
  return err(EACCES);
}

Result<void> check_owner(const Credentials& credentials, const Attributes& attributes) {
  if (credentials.fsuid == attributes.stx_uid || credentials.has_capability(CAP_FOWNER)) return {};
  return err(EPERM);
}

Result<void> check_delete(const Credentials& credentials, const Attributes& directory,
                          const Attributes& victim) {
  TRY(check_permission(credentials, directory, W_OK | X_OK));
  bool is_sticky = directory.stx_mode & S_ISVTX;
  if (is_sticky && credentials.fsuid != victim.stx_uid && credentials.fsuid != directory.stx_uid &&
      !credentials.has_capability(CAP_FOWNER))
    return err(EPERM);
  return {};
}

Result<void> check_link_source(const Credentials& credentials, const Attributes& attributes) {
  if (check_owner(credentials, attributes)) return {};
  mode_t mode = attributes.stx_mode;
  bool runs_as_group = (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  bool is_plain = S_ISREG(mode) && !(mode & S_ISUID) && !runs_as_group;
  if (is_plain && check_permission(credentials, attributes, R_OK | W_OK)) return {};
  return err(EPERM);
}

}  // namespace sandbox::vfs
