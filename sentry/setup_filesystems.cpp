// The root, the kernel's file systems, binds, tmpfs and masks of a sandbox.
#include "sentry/setup_filesystems.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "platform/host_mounts.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/synthetic/host_resources.h"

namespace sandbox {

namespace {

constexpr vfs::MountFlags kNoDevices{.is_nodev = true};

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
        case 'g': case 'G': number <<= 10; [[fallthrough]];
        case 'm': case 'M': number <<= 10; [[fallthrough]];
        case 'k': case 'K': number <<= 10; ++end; break;
        default: break;
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

std::string tmpfs_options_text(const TmpfsOptions& options) {
  std::string text = "rw";
  if (options.size_bytes) text += fmt::format(",size={}k", options.size_bytes / 1024);
  if (options.inode_limit) text += fmt::format(",nr_inodes={}", options.inode_limit);
  if (options.mode != 01777) text += fmt::format(",mode={:o}", options.mode);
  return text;
}

}  // namespace

FilesystemSetup::FilesystemSetup(const SandboxConfig& config, const WorkloadIds& ids, SentryKernelView& kernel_view)
    : config_(config), ids_(ids), kernel_view_(kernel_view), mounter_(platform::make_host_mounter()) {
  UniqueFd host_sys(::open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  resources_ = vfs::create_host_resources(kernel_view.host_proc(), std::move(host_sys));
}

FilesystemSetup::~FilesystemSetup() = default;

Result<FilesystemSetup::FilesystemPtr> FilesystemSetup::new_tmpfs(const TmpfsOptions& options) {
  UniqueFd root = TRY(mounter_->new_tmpfs(options));
  vfs::HostFsOptions hostfs{.root = std::move(root),
                            .type = "tmpfs",
                            .source = "tmpfs",
                            .options = tmpfs_options_text(options),
                            .policy = vfs::CachePolicy::kTrust,
                            .owners = {ids_.uid_map, ids_.gid_map}};
  return vfs::create_hostfs(std::move(hostfs));
}

Configured<FilesystemSetup::FilesystemPtr> FilesystemSetup::clone(const std::string& doing, const std::string& path,
                                                                  MountAccess access) {
  auto tree = mounter_->clone_tree(AT_FDCWD, path, access, MountDevices::kHidden);
  if (!tree) return failure(doing, tree.error(), "create it first, correct its name, or leave the option out");
  vfs::HostFsOptions hostfs{.root = *std::move(tree), .owners = {ids_.uid_map, ids_.gid_map}};
  auto filesystem = vfs::create_hostfs(std::move(hostfs));
  if (!filesystem) return failure(doing, filesystem.error(), "look whether you may read it");
  return *std::move(filesystem);
}

Configured<void> FilesystemSetup::mount_on(const std::string& path, FilesystemPtr filesystem, vfs::MountFlags flags,
                                           const std::string& doing, const std::string& source) {
  auto mounted = vfs_->mount_at(path, std::move(filesystem), flags, source);
  if (!mounted)
    return failure(doing, mounted.error(), "a directory goes on a directory and a file on a file");
  return {};
}

Configured<void> FilesystemSetup::mount_root() {
  std::string doing = fmt::format("use {} as the root", config_.rootfs);
  bool writes_to_host = config_.overlay == SandboxConfig::Overlay::kNone && !config_.is_root_read_only;
  auto root = clone(doing, config_.rootfs, writes_to_host ? MountAccess::kReadWrite : MountAccess::kReadOnly);
  if (!root) return std::unexpected(root.error());
  if ((*root)->root()->type() != S_IFDIR) return failure(doing, Errno(ENOTDIR), "--rootfs takes a directory");
  vfs::MountFlags flags = kNoDevices;
  flags.is_read_only = config_.is_root_read_only;
  vfs_->set_root(*std::move(root), flags);
  return {};
}

Configured<void> FilesystemSetup::mount_kernel_filesystems() { return {}; }

Configured<void> FilesystemSetup::mount_configured() {
  struct Item {
    std::string destination;
    const BindMount* bind = nullptr;
    const TmpfsMount* tmpfs = nullptr;
  };
  std::vector<Item> items;
  for (const BindMount& bind : config_.binds) items.push_back({.destination = bind.destination, .bind = &bind});
  for (const TmpfsMount& tmpfs : config_.tmpfs) items.push_back({.destination = tmpfs.destination, .tmpfs = &tmpfs});
  // A mount point inside another destination is made in that one.
  std::ranges::stable_sort(items, {}, [](const Item& item) { return std::ranges::count(item.destination, '/'); });
  for (const Item& item : items) {
    if (item.bind) {
      std::string doing = fmt::format("bind {} to {}", item.bind->source, item.destination);
      bool is_read_only = item.bind->access == BindMount::Access::kReadOnly;
      auto tree = clone(doing, item.bind->source, is_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite);
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

Configured<void> FilesystemSetup::mask_paths() {
  Credentials everything{.effective_caps = ~uint64_t{0}};
  vfs::Caller setup{.root = vfs_->root(), .cwd = vfs_->root(), .credentials = everything};
  for (const std::string& path : config_.masked_paths) {
    auto found = vfs_->stat(setup, setup.root, path, {});
    if (!found) continue;   // nothing to hide
    std::string doing = fmt::format("mask {}", path);
    auto empty = mounter_->new_tmpfs({.size_bytes = 65536, .inode_limit = 4, .mode = S_ISDIR(found->stx_mode) ? 0755u : 0700u});
    if (!empty) return failure(doing, empty.error(), "free some memory");
    UniqueFd root = *std::move(empty);
    if (!S_ISDIR(found->stx_mode)) {
      UniqueFd file(::openat(root.get(), "empty", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
      root = UniqueFd(::openat(root.get(), "empty", O_PATH | O_CLOEXEC | O_NOFOLLOW));
      if (!file || !root) return failure(doing, Errno::last(), "free some memory");
    }
    auto filesystem = vfs::create_hostfs({.root = std::move(root), .type = "tmpfs", .source = "tmpfs", .options = "ro",
                                          .policy = vfs::CachePolicy::kTrust});
    if (!filesystem) return failure(doing, filesystem.error(), "free some memory");
    vfs::MountFlags flags{.is_read_only = true, .is_nodev = true};
    if (auto done = mount_on(path, *std::move(filesystem), flags, doing, "tmpfs"); !done) return done;
  }
  return {};
}

void FilesystemSetup::set_factories() {
  vfs_->set_factory("tmpfs", [this](const std::string&, const std::string& data) -> Result<FilesystemPtr> {
    return new_tmpfs(TRY(parse_tmpfs_data(data)));
  });
}

Configured<std::unique_ptr<vfs::Vfs>> FilesystemSetup::build() {
  auto created = vfs::Vfs::create(*mounter_, ids_.uid_map, ids_.gid_map);
  if (!created)
    return failure("make the sandbox's private file systems", created.error(), "`sandbox info` tells what is missing");
  vfs_ = *std::move(created);
  if (auto done = mount_root(); !done) return std::unexpected(done.error());
  if (auto done = mount_kernel_filesystems(); !done) return std::unexpected(done.error());
  if (auto done = mount_configured(); !done) return std::unexpected(done.error());
  if (auto done = mask_paths(); !done) return std::unexpected(done.error());
  set_factories();
  return std::move(vfs_);
}

}  // namespace sandbox
