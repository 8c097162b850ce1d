// Detached mounts for the sentry.
#include "platform/host_mounts.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include "platform/mount_calls.h"
#include "platform/remounted_tree.h"

namespace sandbox::platform {

namespace {

// Before Linux 6.15 only a mount that has a place can be copied: a detached one gets one for the moment, on
// the root directory of this mount namespace, where no path leads to it.
Result<UniqueFd> copy_detached(int mount) {
  TRY(host_status(syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH)));
  auto copy = copy_mount_tree(mount, "");
  TRY(host_status(::umount2(fmt::format("/proc/self/fd/{}", mount).c_str(), MNT_DETACH)));
  return copy;
}

Result<UniqueFd> copy_tree(int directory_fd, const std::string& path) {
  auto copy = copy_mount_tree(directory_fd, path.c_str());
  if (!copy && copy.error() == Errno(EINVAL) && path.empty()) return copy_detached(directory_fd);
  return copy;
}

class DetachedMounter final : public HostMounter {
 public:
  explicit DetachedMounter(TreeFlagsMethod method) : method_(method) {}

  Result<UniqueFd> new_tmpfs(const TmpfsOptions& options) override {
    UniqueFd context = TRY(open_file_system("tmpfs"));
    if (options.size_bytes > 0) {
      TRY(set_file_system_option(context, "size", fmt::format("{}", options.size_bytes).c_str()));
    }
    if (options.inode_limit > 0) {
      TRY(set_file_system_option(context, "nr_inodes", fmt::format("{}", options.inode_limit).c_str()));
    }
    TRY(set_file_system_option(context, "mode", fmt::format("{:o}", options.mode).c_str()));
    const unsigned hidden = options.devices == MountDevices::kHidden ? MOUNT_ATTR_NODEV : 0;
    return mount_detached(context, MOUNT_ATTR_NOSUID | hidden);
  }

  Result<UniqueFd> clone_tree(int directory_fd, const std::string& path, MountAccess access,
                              MountDevices devices) override {
    uint64_t attributes = MOUNT_ATTR_NOSUID;
    if (access == MountAccess::kReadOnly) attributes |= MOUNT_ATTR_RDONLY;
    if (devices == MountDevices::kHidden) attributes |= MOUNT_ATTR_NODEV;
    if (method_ == TreeFlagsMethod::kRemountEach) return copy_tree_remounted(directory_fd, path, attributes);
    UniqueFd tree = TRY(copy_tree(directory_fd, path));
    auto changed = add_tree_attributes(tree, attributes);
    if (!changed && changed.error() == Errno(ENOSYS) && method_ == TreeFlagsMethod::kProbe) {
      method_ = TreeFlagsMethod::kRemountEach;
      return copy_tree_remounted(directory_fd, path, attributes);
    }
    if (!changed) return std::unexpected(changed.error());
    return tree;
  }

  Result<UniqueFd> new_devpts() override {
    UniqueFd context = TRY(open_file_system("devpts"));
    TRY(set_file_system_option(context, "mode", "0620"));
    TRY(set_file_system_option(context, "ptmxmode", "0666"));
    // The group that owns terminals, where this namespace has it.
    (void)set_file_system_option(context, "gid", "5");
    return mount_detached(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  }

 private:
  TreeFlagsMethod method_;
};

}  // namespace

std::unique_ptr<HostMounter> make_host_mounter(TreeFlagsMethod method) {
  return std::make_unique<DetachedMounter>(method);
}

}  // namespace sandbox::platform
