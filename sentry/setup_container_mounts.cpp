// The mounts of an OCI container: those of its configuration, in their order.
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "platform/mount_calls.h"
#include "sentry/oci/device_nodes.h"
#include "sentry/setup_filesystems.h"
#include "vfs/cgroupfs/cgroupfs.h"
#include "vfs/devfs/devfs.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/overlayfs/overlayfs.h"

namespace sandbox {

namespace {

using oci::MountEntry;

UniqueFd duplicate(const UniqueFd& descriptor) {
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

// What a container means by a bind of a kernel file system of the host is its own: the host's would show it
// the host's processes and control groups.
std::optional<MountEntry::Kind> kernel_filesystem(const std::string& source) {
  struct statfs status{};
  if (::statfs(source.c_str(), &status) < 0) return std::nullopt;
  if (status.f_type == PROC_SUPER_MAGIC) return MountEntry::Kind::kProc;
  if (status.f_type == SYSFS_MAGIC) return MountEntry::Kind::kSysfs;
  if (status.f_type == CGROUP_SUPER_MAGIC || status.f_type == CGROUP2_SUPER_MAGIC ||
      source == "/sys/fs/cgroup")
    return MountEntry::Kind::kCgroup;
  return std::nullopt;
}

bool is_top_of(MountEntry::Kind kind, const std::string& source) {
  switch (kind) {
    case MountEntry::Kind::kProc:
      return source == "/proc";
    case MountEntry::Kind::kSysfs:
      return source == "/sys";
    default:
      return source == "/sys/fs/cgroup";
  }
}

constexpr std::string_view kDevicesFolder = "/dev/";
bool is_in_devfs(const oci::DeviceNode& device) {
  return device.type != S_IFIFO && device.path.starts_with(kDevicesFolder);
}

// A path of the container's root, whose links lead nowhere else.
UniqueFd open_below(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

}  // namespace

// A copy that the host's programs will find. It is a help for them: the container does without.
void FilesystemSetup::show_to_host(const MountEntry& entry, const UniqueFd& tree) {
  auto access = entry.flags.is_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite;
  auto copy = mounter_->clone_tree(tree.get(), "", access, MountDevices::kHidden);
  if (copy) host_view_.parts.push_back({entry.destination, *std::move(copy)});
}

std::optional<platform::HostView> FilesystemSetup::take_host_view() {
  if (config_.overlay != SandboxConfig::Overlay::kNone) return std::nullopt;
  auto root = mounter_->clone_tree(AT_FDCWD, config_.rootfs, MountAccess::kReadWrite, MountDevices::kHidden);
  if (!root) return std::nullopt;
  host_view_.root = *std::move(root);
  host_view_.root_access = config_.is_root_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite;
  return std::move(host_view_);
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::container_tmpfs(const MountEntry& entry) {
  std::string doing = fmt::format("mount a tmpfs on {}", entry.destination);
  TmpfsOptions options{.size_bytes = entry.size_bytes, .inode_limit = entry.inode_limit, .mode = entry.mode};
  if (entry.contents == MountEntry::Contents::kCopyUp) {
    UniqueFd root(::open(config_.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (UniqueFd below = open_below(root.get(), entry.destination)) {
      auto lower = mounter_->clone_tree(below.get(), "", MountAccess::kReadOnly, MountDevices::kHidden);
      auto upper = mounter_->new_tmpfs(options);
      if (!lower) return failure(doing, lower.error(), "without tmpcopyup");
      if (!upper) return failure(doing, upper.error(), "a smaller size");
      vfs::OverlayOptions layers{
          .upper = *std::move(upper), .source = entry.source, .owners = {ids_.uid_map, ids_.gid_map}};
      layers.lowers.push_back(*std::move(lower));
      auto overlay = vfs::create_overlayfs(std::move(layers));
      if (!overlay) return failure(doing, overlay.error(), "without tmpcopyup");
      return *std::move(overlay);
    }
  }
  const bool is_queues = entry.kind == MountEntry::Kind::kMessageQueues;
  auto root = mounter_->new_tmpfs(options);
  if (!root) return failure(doing, root.error(), "a smaller size");
  auto uid = ids_.uid_map.to_outside(entry.uid), gid = ids_.gid_map.to_outside(entry.gid);
  if (!uid || !gid) return failure(doing, "its owner has no place in the id maps", "another uid= or gid=");
  if (::fchownat(root->get(), "", *uid, *gid, AT_EMPTY_PATH) < 0 ||
      ::fchmodat(root->get(), ".", entry.mode, 0) < 0)
    return failure(doing, Errno::last(), "without uid=, gid= and mode=");
  if (const uint64_t times = oci::access_times_of(entry.flags); times != 0)
    if (auto set = platform::set_access_times(*root, times); !set)
      return failure(doing, set.error(), "without noatime, strictatime and nodiratime");
  show_to_host(entry, *root);
  std::string shown = entry.flags.is_read_only ? "ro" : "rw";
  if (entry.size_bytes != 0) shown += fmt::format(",size={}k", entry.size_bytes / 1024);
  if (entry.inode_limit != 0) shown += fmt::format(",nr_inodes={}", entry.inode_limit);
  if (entry.mode != 01777) shown += fmt::format(",mode={:o}", entry.mode);
  auto filesystem = vfs::create_hostfs({.root = *std::move(root),
                                        .type = is_queues ? "mqueue" : "tmpfs",
                                        .source = entry.source,
                                        .options = is_queues ? "rw" : shown,
                                        .owners = {ids_.uid_map, ids_.gid_map}});
  if (!filesystem) return failure(doing, filesystem.error(), "free some memory");
  return *std::move(filesystem);
}

// The instance that shows the container's terminal, or a new one.
Configured<UniqueFd> FilesystemSetup::devpts_of_terminal() {
  if (!devpts_ && terminal_ != nullptr) devpts_ = duplicate(terminal_->devpts);
  if (!devpts_) {
    auto made = mounter_->new_devpts();
    if (!made)
      return failure("make the container's terminals", made.error(), "`sandbox info` tells what is missing");
    devpts_ = *std::move(made);
  }
  return duplicate(devpts_);
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::container_devices(
    const oci::ContainerConfig& container) {
  auto host_devices = mounter_->clone_tree(AT_FDCWD, "/dev", MountAccess::kReadWrite, MountDevices::kVisible);
  if (!host_devices)
    return failure("reach the host's devices", host_devices.error(),
                   "mount a /dev with null and urandom on the host");
  UniqueFd terminals = TRY(devpts_of_terminal());
  vfs::DevfsOptions options{.kernel = kernel_view_,
                            .host_devices = *std::move(host_devices),
                            .terminals = std::move(terminals),
                            .console = terminal_ ? duplicate(terminal_->slave) : UniqueFd()};
  for (size_t index = 0; index < container.devices.size(); ++index) {
    const oci::DeviceNode& device = container.devices[index];
    if (!is_in_devfs(device)) continue;
    UniqueFd node = TRY(oci::open_device_node(device_nodes_, index, options.host_devices, device));
    options.extra.push_back({device.path.substr(kDevicesFolder.size()), std::move(node)});
  }
  return vfs::create_devfs(std::move(options));
}

// A FIFO, or a device outside of /dev: a file of the nodes' file system at its place.
Configured<void> FilesystemSetup::mount_container_device(const oci::ContainerConfig& container,
                                                         size_t index) {
  const oci::DeviceNode& device = container.devices[index];
  std::string doing = fmt::format("make the device {}", device.path);
  auto filesystem =
      vfs::create_hostfs({.root = TRY(oci::open_device_node(device_nodes_, index, UniqueFd(), device)),
                          .type = "tmpfs",
                          .source = "tmpfs",
                          .owners = {ids_.uid_map, ids_.gid_map},
                          .devices = vfs::HostDevices::kVisible});
  if (!filesystem) return failure(doing, filesystem.error(), "linux.devices of config.json");
  return mount_on(device.path, *std::move(filesystem), {.is_nosuid = true, .is_noexec = true}, doing,
                  "tmpfs");
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::container_terminals() {
  UniqueFd terminals = TRY(devpts_of_terminal());
  return vfs::create_devpts(kernel_view_, std::move(terminals));
}

Configured<void> FilesystemSetup::mount_container_cgroups(const MountEntry& entry) {
  constexpr std::string_view kTop = "/sys/fs/cgroup";
  auto mounted = vfs::mount_cgroups(kernel_view_, cgroups_,
                                    [&](const std::string& path, FilesystemPtr filesystem) -> Result<void> {
                                      std::string source = filesystem->source();
                                      std::string place = entry.destination + path.substr(kTop.size());
                                      TRY(vfs_->mount_at(place, std::move(filesystem), entry.flags, source));
                                      return {};
                                    });
  if (!mounted)
    return failure(fmt::format("mount the control groups on {}", entry.destination), mounted.error(),
                   "linux.mounts of config.json");
  return {};
}

Configured<void> FilesystemSetup::mount_container_bind(const MountEntry& entry) {
  std::string doing = fmt::format("bind {} to {}", entry.source, entry.destination);
  if (auto kind = kernel_filesystem(entry.source)) {
    if (!is_top_of(*kind, entry.source))
      return failure(doing, "a part of a kernel file system of the host is not shown",
                     "/proc, /sys or /sys/fs/cgroup as a whole, which are then the container's own");
    MountEntry own = entry;
    own.kind = *kind;
    own.source = *kind == MountEntry::Kind::kProc ? "proc" : "sysfs";
    return mount_entry(*config_.container, own);
  }
  struct stat status{};
  if (::stat(entry.source.c_str(), &status) < 0)
    return failure(doing, Errno::last(), "create it first, or correct mounts of config.json");
  const bool is_device = S_ISCHR(status.st_mode) && !entry.flags.is_nodev;
  auto access = entry.flags.is_read_only && !is_device ? MountAccess::kReadOnly : MountAccess::kReadWrite;
  auto prepared = prepared_trees_.find(&entry);
  const bool is_prepared = prepared != prepared_trees_.end();
  auto tree = is_prepared ? Result<UniqueFd>(std::move(prepared->second))
                          : mounter_->clone_tree(AT_FDCWD, entry.source, access,
                                                 is_device ? MountDevices::kVisible : MountDevices::kHidden);
  if (!tree) return failure(doing, tree.error(), "look whether the file system allows it");
  // A tree that came with the host's rights cannot be copied here.
  if (!is_device && !is_prepared) show_to_host(entry, *tree);
  vfs::OwnerMaps owners{ids_.uid_map, ids_.gid_map};
  if (entry.ids)
    owners = {oci::owners_of_mapped_tree(ids_.uid_map, entry.ids->users),
              oci::owners_of_mapped_tree(ids_.gid_map, entry.ids->groups)};
  auto filesystem =
      vfs::create_hostfs({.root = *std::move(tree),
                          .owners = std::move(owners),
                          .devices = is_device ? vfs::HostDevices::kVisible : vfs::HostDevices::kRefused});
  if (!filesystem) return failure(doing, filesystem.error(), "look whether you may read it");
  // The last name of the host's path is what programs compare; those above it are nobody's business.
  std::string_view path = entry.source;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::string shown_root(path.substr(path.rfind('/')));
  return mount_on(entry.destination, *std::move(filesystem), entry.flags, doing, entry.source, shown_root);
}

Configured<void> FilesystemSetup::mount_entry(const oci::ContainerConfig& container,
                                              const MountEntry& entry) {
  std::string doing = fmt::format("mount {} on {}", entry.source, entry.destination);
  FilesystemPtr filesystem;
  switch (entry.kind) {
    case MountEntry::Kind::kBind:
      return mount_container_bind(entry);
    case MountEntry::Kind::kCgroup:
      return mount_container_cgroups(entry);
    case MountEntry::Kind::kProc:
      host_view_.parts.push_back({entry.destination, std::move(shared_procfs_)});
      filesystem = new_procfs();
      break;
    case MountEntry::Kind::kSysfs:
      filesystem = new_sysfs();
      break;
    case MountEntry::Kind::kDevices:
      // Empty, and a place for what is mounted below.
      if (auto place = mounter_->new_tmpfs({.size_bytes = 65536, .inode_limit = 64, .mode = 0755}))
        host_view_.parts.push_back({entry.destination, *std::move(place)});
      filesystem = TRY(container_devices(container));
      break;
    case MountEntry::Kind::kDevpts:
      filesystem = TRY(container_terminals());
      show_to_host(entry, devpts_);
      break;
    case MountEntry::Kind::kRemount: {
      auto done = vfs_->set_mount_flags(entry.destination, entry.flags);
      if (!done) return failure(fmt::format("remount {}", entry.destination), done.error(), "mount it first");
      return {};
    }
    case MountEntry::Kind::kTmpfs:
    case MountEntry::Kind::kMessageQueues:
      filesystem = TRY(container_tmpfs(entry));
      break;
  }
  return mount_on(entry.destination, std::move(filesystem), entry.flags, doing, entry.source);
}

Configured<void> FilesystemSetup::propagate(const std::string& path, unsigned long propagation) {
  if (propagation == 0) return {};
  auto done = vfs_->set_propagation(path, propagation);
  if (!done) return failure(fmt::format("set the propagation of {}", path), done.error(), "leave it out");
  return {};
}

Configured<void> FilesystemSetup::mount_container(const oci::ContainerConfig& container) {
  // Every container has the standard devices, whether it says so or not.
  if (std::ranges::find(container.mounts, std::string("/dev"), &MountEntry::destination) ==
      container.mounts.end())
    TRY(mount_entry(container, {.kind = MountEntry::Kind::kDevices,
                                .destination = "/dev",
                                .source = "tmpfs",
                                .flags = {.is_nodev = false, .is_noexec = true}}));
  for (const MountEntry& entry : container.mounts) {
    TRY(mount_entry(container, entry));
    TRY(propagate(entry.destination, entry.propagation));
  }
  for (size_t index = 0; index < container.devices.size(); ++index)
    if (!is_in_devfs(container.devices[index])) TRY(mount_container_device(container, index));
  vfs_->set_device_rules(container.device_rules);
  for (const std::string& path : container.read_only_paths) {
    auto done = vfs_->make_read_only(path);
    if (!done && done.error() != Errno(ENOENT) && done.error() != Errno(ENOTDIR))
      return failure(fmt::format("make {} read-only", path), done.error(), "linux.readonlyPaths");
  }
  return propagate("/", container.root_propagation);
}

}  // namespace sandbox
