// The root, the kernel's file systems, binds, tmpfs and masks of a sandbox.
#include "sentry/setup_filesystems.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "platform/host_mounts.h"
#include "vfs/cgroupfs/cgroupfs.h"
#include "vfs/devfs/devfs.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/hostfs/recorded_owners.h"
#include "vfs/overlayfs/overlayfs.h"
#include "vfs/procfs/procfs.h"
#include "vfs/sysfs/sysfs.h"

namespace sandbox {

namespace {

constexpr vfs::MountFlags kNoDevices{.is_nodev = true};
constexpr vfs::MountFlags kNoDevicesNoPrograms{.is_nodev = true, .is_noexec = true};
constexpr vfs::MountFlags kDevices{.is_nodev = false, .is_noexec = true};

// What mount(2)'s data may say of a tmpfs (tmpfs(5)). Errors: EINVAL.
Result<TmpfsOptions> parse_tmpfs_data(const std::string& data) {
  TmpfsOptions options;
  std::string_view rest = data;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    size_t equals = word.find('=');
    std::string value(equals == word.npos ? std::string_view() : word.substr(equals + 1));
    std::string_view key = word.substr(0, equals);
    char* end = nullptr;
    if (key == "size" || key == "nr_inodes") {
      uint64_t number = std::strtoull(value.c_str(), &end, 10);
      switch (*end) {
        case 'g':
        case 'G':
          number <<= 10;
          [[fallthrough]];
        case 'm':
        case 'M':
          number <<= 10;
          [[fallthrough]];
        case 'k':
        case 'K':
          number <<= 10;
          ++end;
          break;
        default:
          break;
      }
      if (value.empty() || *end != '\0') return err(EINVAL);
      (key == "size" ? options.size_bytes : options.inode_limit) = number;
    } else if (key == "mode") {
      options.mode = std::strtoul(value.c_str(), &end, 8);
      if (value.empty() || *end != '\0' || options.mode > 07777) return err(EINVAL);
    } else if (!word.empty() && key != "uid" && key != "gid" && key != "huge" && key != "mpol") {
      return err(EINVAL);
    }
  }
  return options;
}

UniqueFd open_path(const char* path) { return UniqueFd(::open(path, O_PATH | O_CLOEXEC)); }

// The terminal that the sandbox was started on, if any.
UniqueFd open_own_terminal() {
  for (const char* own : {"/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"})
    if (::isatty(own[std::strlen(own) - 1] - '0')) return open_path(own);
  return {};
}

std::string tmpfs_options_text(const TmpfsOptions& options) {
  std::string text = "rw";
  if (options.size_bytes) text += fmt::format(",size={}k", options.size_bytes / 1024);
  if (options.inode_limit) text += fmt::format(",nr_inodes={}", options.inode_limit);
  if (options.mode != 01777) text += fmt::format(",mode={:o}", options.mode);
  return text;
}

}  // namespace

FilesystemSetup::FilesystemSetup(const SandboxConfig& config, const WorkloadIds& ids,
                                 SentryKernelView& kernel_view, ResourceView& resources,
                                 const cgroup::CgroupSources& cgroups)
    : config_(config),
      ids_(ids),
      kernel_view_(kernel_view),
      resources_(resources),
      mounter_(platform::make_host_mounter()),
      cgroups_(cgroups) {}

FilesystemSetup::~FilesystemSetup() = default;

vfs::OwnerMaps FilesystemSetup::owners(const char* attribute) const {
  const bool has_records = ids_.keeper == platform::IdKeeper::kSentry;
  if (!has_records) return {ids_.uid_map, ids_.gid_map};
  return {ids_.uid_map, ids_.gid_map, attribute, passing_owners_};
}

// What the sentry itself copies into memory is charged to its own group, so the workload's limit bounds it
// here.
uint64_t FilesystemSetup::largest_tmpfs() const {
  uint64_t limit = config_.limits.memory_bytes.value_or(cgroup::kUnlimited);
  return limit == cgroup::kUnlimited ? 0 : limit;
}

Result<FilesystemSetup::FilesystemPtr> FilesystemSetup::new_tmpfs(TmpfsOptions options) {
  if (options.size_bytes == 0) options.size_bytes = largest_tmpfs();
  UniqueFd root = TRY(mounter_->new_tmpfs(options));
  vfs::HostFsOptions hostfs{.root = std::move(root),
                            .type = "tmpfs",
                            .source = "tmpfs",
                            .options = tmpfs_options_text(options),
                            .policy = vfs::CachePolicy::kTrust,
                            .owners = owners(vfs::kMemoryOwnerRecordXattr)};
  return vfs::create_hostfs(std::move(hostfs));
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::clone(const std::string& doing,
                                                                  const std::string& path, MountAccess access,
                                                                  vfs::CachePolicy policy) {
  auto tree = mounter_->clone_tree(AT_FDCWD, path, access, MountDevices::kHidden);
  if (!tree)
    return failure(doing, tree.error(), "create it first, correct its name, or leave the option out");
  vfs::HostFsOptions hostfs{
      .root = *std::move(tree), .policy = policy, .owners = owners(vfs::kOwnerRecordXattr)};
  auto filesystem = vfs::create_hostfs(std::move(hostfs));
  if (!filesystem) return failure(doing, filesystem.error(), "look whether you may read it");
  return *std::move(filesystem);
}

Configured<void> FilesystemSetup::mount_on(const std::string& path, FilesystemPtr filesystem,
                                           vfs::MountFlags flags, const std::string& doing,
                                           const std::string& source, const std::string& shown_root) {
  auto mounted = vfs_->mount_at(path, std::move(filesystem), flags, source);
  if (!mounted)
    return failure(doing, mounted.error(), "a directory goes on a directory and a file on a file");
  (*mounted)->shown_root = shown_root;
  return {};
}

Configured<UniqueFd> FilesystemSetup::upper_layer() {
  if (config_.overlay == SandboxConfig::Overlay::kDirectory) {
    std::string doing = fmt::format("keep changes in {}", config_.overlay_directory);
    auto upper = mounter_->clone_tree(AT_FDCWD, config_.overlay_directory, MountAccess::kReadWrite,
                                      MountDevices::kHidden);
    if (!upper) return failure(doing, upper.error(), "create the directory first");
    return *std::move(upper);
  }
  auto upper = mounter_->new_tmpfs({.size_bytes = largest_tmpfs(), .mode = 0755});
  if (!upper)
    return failure("make the overlay's memory", upper.error(), "`sandbox info` tells what is missing");
  return *std::move(upper);
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::layered_root() {
  std::string doing = fmt::format("use {} as the root", config_.rootfs);
  const bool is_on_disk = config_.overlay == SandboxConfig::Overlay::kDirectory;
  vfs::OverlayOptions options{.owners =
                                  owners(is_on_disk ? vfs::kOwnerRecordXattr : vfs::kMemoryOwnerRecordXattr)};
  if (options.owners.record != nullptr) options.lower_record = vfs::kOwnerRecordXattr;
  if (!config_.is_root_read_only) {
    auto upper = upper_layer();
    if (!upper) return std::unexpected(upper.error());
    options.upper = *std::move(upper);
  }
  const bool is_image = !config_.layers.empty();
  if (is_image) {
    options.policy = vfs::CachePolicy::kTrust;
    options.lower_markers = vfs::LowerMarkers::kAlways;
  }
  for (const std::string& path : is_image ? config_.layers : std::vector{config_.rootfs}) {
    auto lower = mounter_->clone_tree(AT_FDCWD, path, MountAccess::kReadOnly, MountDevices::kHidden);
    if (!lower)
      return failure(doing, lower.error(),
                     is_image ? "run it again: it is unpacked anew" : "--rootfs takes an existing directory");
    options.lowers.push_back(*std::move(lower));
  }
  auto overlay = vfs::create_overlayfs(std::move(options));
  if (overlay) return *std::move(overlay);
  if (overlay.error() == Errno(EBUSY))
    return failure(doing, "another sandbox uses the overlay directory (EBUSY)",
                   "a directory of its own for each run");
  return failure(doing, overlay.error(), "look whether you may read it, and write to the overlay directory");
}

Configured<void> FilesystemSetup::mount_root() {
  bool has_overlay = !config_.layers.empty() ||
                     (config_.overlay != SandboxConfig::Overlay::kNone && !config_.is_root_read_only);
  MountAccess access = config_.is_root_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite;
  const bool is_exclusive =
      config_.container && config_.container->root_access == oci::ContainerConfig::RootAccess::kExclusive;
  const auto policy = is_exclusive ? vfs::CachePolicy::kTrust : vfs::CachePolicy::kRevalidate;
  auto root = has_overlay
                  ? layered_root()
                  : clone(fmt::format("use {} as the root", config_.rootfs), config_.rootfs, access, policy);
  if (!root) return std::unexpected(root.error());
  if ((*root)->root()->type() != S_IFDIR)
    return failure(fmt::format("use {} as the root", config_.rootfs), Errno(ENOTDIR),
                   "--rootfs takes a directory");
  vfs::MountFlags flags = kNoDevices;
  flags.is_read_only = config_.is_root_read_only;
  vfs_->set_root(*std::move(root), flags);
  return {};
}

FilesystemSetup::FilesystemPtr FilesystemSetup::new_procfs() {
  vfs::Vfs* vfs = vfs_shared_;
  const oci::ContainerConfig none;
  const oci::ContainerConfig& container = config_.container ? *config_.container : none;
  return vfs::create_procfs({
      .kernel = kernel_view_,
      .resources = resources_,
      .cgroups = cgroups_,
      .places = [this](const TaskView& task) -> Result<vfs::TaskPlaces> {
        SentryKernelView::Places places = TRY(kernel_view_.places(task));
        return vfs::TaskPlaces{.root = places.root, .cwd = places.cwd, .exe = places.exe};
      },
      .locate = [vfs](const vfs::Caller& caller, UniqueFd fd) { return vfs->locate(caller, std::move(fd)); },
      .mounts = [vfs](const vfs::Location& root) { return vfs->mounts(root); },
      .shown_uid_map = container.uid_map,
      .shown_gid_map = container.gid_map,
      .sysctls = {container.sysctls.begin(), container.sysctls.end()},
  });
}

// Whether the workload is in the network that the host's /sys tells of.
bool FilesystemSetup::shares_network() const {
  using platform::NamespaceKind;
  if (!config_.container) return config_.network == SandboxConfig::Network::kHost;
  const oci::ContainerConfig& container = *config_.container;
  return std::ranges::count(container.new_namespaces, NamespaceKind::kNet) == 0 &&
         std::ranges::count(container.joined_namespaces, NamespaceKind::kNet, &oci::JoinedNamespace::kind) ==
             0;
}

FilesystemSetup::FilesystemPtr FilesystemSetup::new_sysfs() {
  UniqueFd host_sys(::open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  using Interfaces = vfs::SysfsOptions::Interfaces;
  return vfs::create_sysfs({.kernel = kernel_view_,
                            .resources = resources_,
                            .host_sys = std::move(host_sys),
                            .interfaces = shares_network() ? Interfaces::kHosts : Interfaces::kLoopback});
}

Configured<void> FilesystemSetup::mount_devices() {
  auto terminals = mounter_->new_devpts();
  UniqueFd terminals_for_dev;
  if (terminals) terminals_for_dev = UniqueFd(::fcntl(terminals->get(), F_DUPFD_CLOEXEC, 0));
  auto host_devices = mounter_->clone_tree(AT_FDCWD, "/dev", MountAccess::kReadWrite, MountDevices::kVisible);
  if (!host_devices)
    return failure("reach the host's devices", host_devices.error(),
                   "mount a /dev with null and urandom on the host");
  vfs::DevfsOptions options{.kernel = kernel_view_,
                            .host_devices = *std::move(host_devices),
                            .terminals = std::move(terminals_for_dev),
                            .console = open_own_terminal()};
  if (auto done = mount_on("/dev", vfs::create_devfs(std::move(options)), kDevices, "make /dev", "dev");
      !done)
    return done;
  if (terminals) {
    auto devpts = vfs::create_devpts(kernel_view_, *std::move(terminals));
    if (auto done = mount_on("/dev/pts", std::move(devpts), kDevices, "make /dev/pts", "devpts"); !done)
      return done;
  }
  auto shm = new_tmpfs({});
  if (!shm) return failure("make /dev/shm", shm.error(), "free some memory");
  return mount_on("/dev/shm", *std::move(shm), kNoDevices, "make /dev/shm", "shm");
}

Configured<void> FilesystemSetup::mount_cgroups() {
  vfs::MountFlags flags = kNoDevicesNoPrograms;
  flags.is_read_only = true;
  auto mounted = vfs::mount_cgroups(kernel_view_, cgroups_,
                                    [&](const std::string& path, FilesystemPtr filesystem) -> Result<void> {
                                      std::string source = filesystem->source();
                                      TRY(vfs_->mount_at(path, std::move(filesystem), flags, source));
                                      return {};
                                    });
  if (!mounted) return failure("make /sys/fs/cgroup", mounted.error(), "report this as a bug");
  return {};
}

Configured<void> FilesystemSetup::mount_kernel_filesystems() {
  if (auto done = mount_on("/proc", new_procfs(), kNoDevicesNoPrograms, "make /proc", "proc"); !done)
    return done;
  vfs::MountFlags sys_flags = kNoDevicesNoPrograms;
  sys_flags.is_read_only = true;
  if (auto done = mount_on("/sys", new_sysfs(), sys_flags, "make /sys", "sysfs"); !done) return done;
  if (auto done = mount_cgroups(); !done) return done;
  return mount_devices();
}

Configured<void> FilesystemSetup::mount_configured() {
  struct Item {
    std::string destination;
    const BindMount* bind = nullptr;
    const TmpfsMount* tmpfs = nullptr;
  };
  std::vector<Item> items;
  for (const BindMount& bind : config_.binds)
    items.push_back({.destination = bind.destination, .bind = &bind});
  for (const TmpfsMount& tmpfs : config_.tmpfs)
    items.push_back({.destination = tmpfs.destination, .tmpfs = &tmpfs});
  // A mount point inside another destination is made in that one.
  std::ranges::stable_sort(items, {},
                           [](const Item& item) { return std::ranges::count(item.destination, '/'); });
  for (const Item& item : items) {
    if (item.bind) {
      std::string doing = fmt::format("bind {} to {}", item.bind->source, item.destination);
      bool is_read_only = item.bind->access == BindMount::Access::kReadOnly;
      auto tree =
          clone(doing, item.bind->source, is_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite);
      if (!tree) return std::unexpected(tree.error());
      vfs::MountFlags flags = kNoDevices;
      flags.is_read_only = is_read_only;
      if (auto done = mount_on(item.destination, *tree, flags, doing, item.bind->source); !done) return done;
    } else {
      std::string doing = fmt::format("mount a tmpfs on {}", item.destination);
      auto tmpfs = new_tmpfs({.size_bytes = item.tmpfs->size_bytes, .mode = item.tmpfs->mode});
      if (!tmpfs) return failure(doing, tmpfs.error(), "a smaller size");
      if (auto done = mount_on(item.destination, *tmpfs, kNoDevices, doing, "tmpfs"); !done) return done;
    }
  }
  return {};
}

// An empty directory and an empty file, which stand for everything masked.
Configured<FilesystemSetup::Masks> FilesystemSetup::new_masks() {
  auto tmpfs = mounter_->new_tmpfs({.size_bytes = 65536, .inode_limit = 4, .mode = 0755});
  if (!tmpfs) return failure("make room for masks", tmpfs.error(), "free some memory");
  mask_base_ = *std::move(tmpfs);
  const int base = mask_base_.get();
  UniqueFd file(::openat(base, "file", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file || ::mkdirat(base, "directory", 0755) != 0)
    return failure("make the masks", Errno::last(), "free some memory");
  auto filesystem_at = [&](const char* name) {
    return vfs::create_hostfs({.root = UniqueFd(::openat(base, name, O_PATH | O_CLOEXEC | O_NOFOLLOW)),
                               .type = "tmpfs",
                               .source = "tmpfs",
                               .options = "ro",
                               .policy = vfs::CachePolicy::kTrust});
  };
  auto directory_mask = filesystem_at("directory"), file_mask = filesystem_at("file");
  if (!directory_mask) return failure("make the masks", directory_mask.error(), "free some memory");
  if (!file_mask) return failure("make the masks", file_mask.error(), "free some memory");
  return Masks{.directory = *std::move(directory_mask), .file = *std::move(file_mask)};
}

Configured<void> FilesystemSetup::mask_paths() {
  Credentials everything{.effective_caps = ~uint64_t{0}};
  vfs::Caller setup{.root = vfs_->root(), .cwd = vfs_->root(), .credentials = everything};
  std::optional<Masks> masks;
  for (const std::string& path : config_.masked_paths) {
    auto found = vfs_->stat(setup, setup.root, path, {});
    if (!found) continue;  // nothing to hide
    if (!masks) {
      auto made = new_masks();
      if (!made) return std::unexpected(made.error());
      masks = *std::move(made);
    }
    vfs::MountFlags flags{.is_read_only = true, .is_nodev = true};
    auto done = mount_on(path, S_ISDIR(found->stx_mode) ? masks->directory : masks->file, flags,
                         fmt::format("mask {}", path), "tmpfs");
    if (!done) return done;
  }
  return {};
}

// What mount(2) makes of a hierarchy: the same view again. Errors: ENODEV (the host has no such one).
Result<FilesystemSetup::FilesystemPtr> FilesystemSetup::new_cgroupfs(CgroupHierarchy::Version version,
                                                                     const std::string& data) {
  const auto& all = cgroups_.hierarchies();
  for (size_t i = 0; i < all.size(); ++i) {
    bool is_named = version == CgroupHierarchy::Version::kV2 || all[i].controllers == data;
    if (all[i].version == version && is_named) return vfs::create_cgroupfs(kernel_view_, cgroups_, i);
  }
  return err(ENODEV);
}

void FilesystemSetup::set_factories() {
  vfs_->set_factory("tmpfs", [this](const std::string&, const std::string& data) -> Result<FilesystemPtr> {
    return new_tmpfs(TRY(parse_tmpfs_data(data)));
  });
  vfs_->set_factory("proc", [this](const std::string&, const std::string&) -> Result<FilesystemPtr> {
    return new_procfs();
  });
  vfs_->set_factory("sysfs", [this](const std::string&, const std::string&) -> Result<FilesystemPtr> {
    return new_sysfs();
  });
  vfs_->set_factory("cgroup", [this](const std::string&, const std::string& data) {
    return new_cgroupfs(CgroupHierarchy::Version::kV1, data);
  });
  vfs_->set_factory("cgroup2", [this](const std::string&, const std::string&) {
    return new_cgroupfs(CgroupHierarchy::Version::kV2, "");
  });
  vfs_->set_factory("devpts", [this](const std::string&, const std::string&) -> Result<FilesystemPtr> {
    return vfs::create_devpts(kernel_view_, TRY(mounter_->new_devpts()));
  });
}

Configured<std::unique_ptr<vfs::Vfs>> FilesystemSetup::build() {
  auto created = vfs::Vfs::create(*mounter_, ids_.uid_map, ids_.gid_map);
  if (!created)
    return failure("make the sandbox's private file systems", created.error(),
                   "`sandbox info` tells what is missing");
  vfs_ = *std::move(created);
  vfs_shared_ = vfs_.get();
  if (ids_.keeper == platform::IdKeeper::kSentry)
    vfs_->set_object_owners(std::make_unique<vfs::RecordedOwners>(owners(vfs::kOwnerRecordXattr)));
  if (auto done = mount_root(); !done) return std::unexpected(done.error());
  if (config_.container) {
    if (auto done = mount_container(*config_.container); !done) return std::unexpected(done.error());
  } else {
    if (auto done = mount_kernel_filesystems(); !done) return std::unexpected(done.error());
    if (auto done = mount_configured(); !done) return std::unexpected(done.error());
  }
  if (auto done = mask_paths(); !done) return std::unexpected(done.error());
  set_factories();
  return std::move(vfs_);
}

}  // namespace sandbox
