// mount(2), umount2(2), pivot_root(2): the sandbox's own root changes the sandbox's own mounts.
#include <linux/capability.h>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

constexpr size_t kPageSize = 4096;

// copy_mount_string: absent counts as empty. Errors: EFAULT, EINVAL (longer than a page).
Result<std::string> read_optional_string(Call& call, GuestPtr<const char> pointer) {
  if (pointer.is_null()) return std::string();
  return call.memory().read_string(pointer, kPageSize, EINVAL);
}

// copy_mount_options: a page, or as much of it as is mapped; file systems here take text. Errors: EFAULT.
Result<std::string> read_options(Call& call, MountData pointer) {
  if (pointer.is_null()) return std::string();
  std::string page(kPageSize, '\0');
  page.resize(TRY(call.memory().read_some(pointer.address, std::as_writable_bytes(std::span(page)))));
  page.resize(std::min(page.find('\0'), page.size()));
  return page;
}

}  // namespace

SyscallResult sys_mount(Call& call, PathPtr source, PathPtr target, StringPtr type, MountFlags flags,
                        MountData data) {
  std::string type_name = TRY(read_optional_string(call, type));
  std::string source_name = TRY(read_optional_string(call, source));
  std::string options = TRY(read_options(call, data));
  std::string target_path = TRY(call.read_path(target));
  TRY(call.vfs().mount(call.caller(), source_name, target_path, type_name, flags, options));
  return 0;
}

SyscallResult sys_umount2(Call& call, PathPtr target, UmountFlags flags) {
  TRY(call.vfs().umount(call.caller(), TRY(call.read_path(target)), flags));
  return 0;
}

// Every mount of the sandbox has the one tree that was configured as its ancestor, and that tree's root mount
// does not move: what the kernel says of a root that is not a mount point of its own.
SyscallResult sys_pivot_root(Call& call, PathPtr new_root, PathPtr put_old) {
  if (!call.credentials().has_capability(CAP_SYS_ADMIN)) return err(EPERM);
  for (PathPtr pointer : {new_root, put_old}) {
    PathArgument where = TRY(call.path_at(kCwd, pointer));
    TRY(call.vfs().enter_directory(call.caller(), where.base, where.path, where.options));
  }
  return err(EINVAL);
}

}  // namespace sandbox
