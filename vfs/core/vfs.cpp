// Vfs: set-up, descriptors that come back from the workload, and the calls that only ask.
#include "vfs/core/vfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "vfs/core/directory_stubs.h"
#include "vfs/core/fresh_attributes.h"
#include "vfs/core/generated_file.h"
#include "vfs/core/open_object.h"
#include "vfs/core/permission.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {
namespace {

// Above this many cached names, those nobody holds are dropped.
constexpr size_t kMaximumCachedDentries = 200000;

// A file of /proc or of a control group that was handed out, and whose mount inside is gone since.
bool is_kernels_own(int host_fd) {
  struct statfs filesystem;
  if (::fstatfs(host_fd, &filesystem) < 0) return true;
  return filesystem.f_type == PROC_SUPER_MAGIC || filesystem.f_type == CGROUP2_SUPER_MAGIC ||
         filesystem.f_type == CGROUP_SUPER_MAGIC;
}

}  // namespace

Vfs::Vfs(IdMap uid_map, IdMap gid_map)
    : is_executing_([](const Attributes&) { return false; }),
      uid_map_(std::move(uid_map)),
      gid_map_(std::move(gid_map)) {}

Vfs::~Vfs() {
  for (const MountPtr& mount : mounts_) mount->root->drop_children();
}

void Vfs::leave_names_to_exit() {
  // Never destroyed, and known to leak checkers.
  static auto& left = *new std::vector<std::vector<MountPtr>>;
  std::unique_lock lock(tree_lock_);
  left.push_back(std::move(mounts_));
  mounts_.clear();
}

Result<std::unique_ptr<Vfs>> Vfs::create(HostMounter& mounter, IdMap uid_map, IdMap gid_map) {
  std::unique_ptr<Vfs> vfs(new Vfs(std::move(uid_map), std::move(gid_map)));
  vfs->stubs_ = TRY(DirectoryStubs::create(mounter));
  vfs->generated_ = std::make_unique<GeneratedFiles>(
      TRY(mounter.new_tmpfs({.size_bytes = 256u << 20, .inode_limit = 0, .mode = 0700})));
  vfs->anonymous_ = create_anonymous_filesystem();
  vfs->anonymous_mount_ = std::make_shared<Mount>(0, vfs->anonymous_, nullptr, MountFlags{});
  return vfs;
}

void Vfs::set_root(std::shared_ptr<Filesystem> filesystem, MountFlags flags) {
  auto root = std::make_shared<Dentry>(nullptr, "", filesystem->root());
  auto mount = std::make_shared<Mount>(next_mount_id_++, std::move(filesystem), root, flags);
  mount->source = mount->filesystem->source();
  mount->is_locked = true;
  mounts_.push_back(mount);
  root_ = {mount, root};
}

void Vfs::note_passed_descriptor(int host_fd) {
  struct stat status;
  if (::fstat(host_fd, &status) == 0) passed_objects_.emplace_back(status.st_dev, status.st_ino);
}

void Vfs::set_executing_check(std::function<bool(const Attributes&)> is_executing) {
  is_executing_ = std::move(is_executing);
}

void Vfs::set_memory_bound(std::function<void(struct statfs&)> bound) { memory_bound_ = std::move(bound); }

std::optional<Location> Vfs::directory_of(int host_fd) {
  struct stat status;
  if (::fstat(host_fd, &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return stubs_->find(status.st_dev, status.st_ino);
}

std::optional<Location> Vfs::location_of_private(int host_fd) {
  struct stat status;
  if (::fstat(host_fd, &status) != 0) return std::nullopt;
  if (S_ISDIR(status.st_mode)) return stubs_->find(status.st_dev, status.st_ino);
  if (S_ISREG(status.st_mode)) return generated_->location_of(status.st_dev, status.st_ino);
  return std::nullopt;
}

std::optional<Location> Vfs::find_in_filesystem(const MountPtr& mount, std::string_view path) {
  DentryPtr at = mount->root;
  if (at->parent()) return std::nullopt;  // a bind of a subtree: the file system's own mount answers
  while (!path.empty()) {
    size_t begin = path.find_first_not_of('/');
    if (begin == std::string_view::npos) break;
    size_t end = std::min(path.find('/', begin), path.size());
    if (!at->inode()->is_directory()) return std::nullopt;
    auto child = child_of(at, path.substr(begin, end - begin));
    if (!child || (*child)->is_negative()) return std::nullopt;
    at = *child;
    path.remove_prefix(end);
  }
  return Location{mount, at};
}

Result<Location> Vfs::locate(const Caller&, UniqueFd host_fd) {
  struct stat status;
  TRY(host_status(::fstat(host_fd.get(), &status)));
  if (std::optional<Location> known = location_of_private(host_fd.get())) return *known;

  std::pair object(status.st_dev, status.st_ino);
  bool is_passed = std::find(passed_objects_.begin(), passed_objects_.end(), object) != passed_objects_.end();
  std::shared_lock lock(tree_lock_);
  for (auto mount = mounts_.begin(); !is_passed && mount != mounts_.end(); ++mount) {
    std::optional<std::string> path = (*mount)->filesystem->path_of_descriptor(host_fd.get());
    if (!path) continue;
    std::optional<Location> found = find_in_filesystem(*mount, *path);
    if (!found) continue;
    auto attributes = found->dentry->inode()->getattr();
    bool is_same = attributes &&
                   makedev(attributes->stx_dev_major, attributes->stx_dev_minor) == status.st_dev &&
                   attributes->stx_ino == status.st_ino;
    if (is_same || found->dentry->inode()->stood_for(status.st_dev, status.st_ino)) return *found;
  }
  bool is_hosts = is_passed || (S_ISREG(status.st_mode) && is_kernels_own(host_fd.get()));
  ObjectOrigin origin = is_hosts ? ObjectOrigin::kPassedIn : ObjectOrigin::kInside;
  InodePtr inode = create_open_object(*anonymous_, std::move(host_fd), status.st_mode, origin, uid_map_,
                                      gid_map_, object_owners_.get());
  return Location{anonymous_mount_, std::make_shared<Dentry>(nullptr, "", inode)};
}

Result<Attributes> Vfs::stat(const Caller& caller, const Location& base, std::string_view path,
                             const WalkOptions& options) {
  Result<Attributes> attributes = err(ESTALE);
  for (int attempt = 0; attempt < 2 && !attributes && attributes.error() == Errno(ESTALE); ++attempt) {
    std::shared_lock lock(tree_lock_);
    FreshAttributes fresh;
    Location location = TRY(walk_locked(caller, base, path, options));
    attributes = attributes_of(location);
    if (!attributes && location.dentry->parent())
      location.dentry->parent()->forget_child(location.dentry->name());
  }
  prune_if_large();
  return attributes;
}

Result<Attributes> Vfs::stat_descriptor(const Caller& caller, int host_fd) {
  Attributes attributes;
  TRY(host_status(
      ::statx(host_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &attributes)));
  dev_t device = makedev(attributes.stx_dev_major, attributes.stx_dev_minor);
  std::optional<Location> location;
  if (S_ISDIR(attributes.stx_mode)) location = stubs_->find(device, attributes.stx_ino);
  if (S_ISREG(attributes.stx_mode)) location = generated_->location_of(device, attributes.stx_ino);
  if (location) return stat(caller, *location, "", {.empty_path = WalkOptions::EmptyPath::kAllowed});
  if (object_owners_ != nullptr) {
    object_owners_->show(host_fd, attributes);
    return attributes;
  }
  attributes.stx_uid = uid_map_.to_inside(attributes.stx_uid);
  attributes.stx_gid = gid_map_.to_inside(attributes.stx_gid);
  return attributes;
}

Result<void> Vfs::access(const Caller& caller, const Location& base, std::string_view path, int mode,
                         const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  FreshAttributes fresh;
  Location location = TRY(walk_locked(caller, base, path, options));
  const InodePtr& inode = location.dentry->inode();
  if (mode == F_OK && inode->filesystem().cache_policy() == CachePolicy::kTrust) return {};
  Attributes attributes = TRY(inode->getattr());
  if (mode == F_OK) return {};
  bool is_noexec_file = (mode & X_OK) && inode->is_regular() && location.mount->flags.is_noexec;
  if (is_noexec_file) return err(EACCES);
  TRY(check_permission(caller.credentials, attributes, mode));
  bool is_device =
      S_ISCHR(inode->type()) || S_ISBLK(inode->type()) || S_ISFIFO(inode->type()) || S_ISSOCK(inode->type());
  if ((mode & W_OK) && location.mount->flags.is_read_only && !is_device) return err(EROFS);
  return {};
}

Result<std::string> Vfs::readlink(const Caller& caller, const Location& base, std::string_view path,
                                  const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  const InodePtr& inode = location.dentry->inode();
  if (inode->is_symlink()) return inode->readlink(caller);
  if (inode->is_directory()) return err(EINVAL);
  // An entry that others replaced by a symlink since it was cached.
  TRY(inode->getattr());
  return err(path.empty() ? ENOENT : EINVAL);
}

Result<struct statfs> Vfs::statfs(const Caller& caller, const Location& base, std::string_view path,
                                  const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  struct statfs status = TRY(location.mount->filesystem->statfs());
  if (location.mount->filesystem->is_in_memory()) memory_bound_(status);
  const MountFlags& flags = location.mount->flags;
  constexpr long kValid = 0x20, kReadOnly = 1, kNosuid = 2, kNodev = 4, kNoexec = 8;
  status.f_flags = kValid | (flags.is_read_only ? kReadOnly : 0) | (flags.is_nosuid ? kNosuid : 0) |
                   (flags.is_nodev ? kNodev : 0) | (flags.is_noexec ? kNoexec : 0);
  return status;
}

Result<Location> Vfs::enter_directory(const Caller& caller, const Location& base, std::string_view path,
                                      const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  if (!location.dentry->inode()->is_directory()) return err(ENOTDIR);
  TRY(check_permission(caller.credentials, TRY(location.dentry->inode()->getattr()), X_OK));
  return location;
}

Result<UniqueFd> Vfs::watchable(const Caller& caller, const Location& base, std::string_view path,
                                const WalkOptions& options) {
  std::unique_lock lock(tree_lock_);  // a layered file system may copy up what is watched
  Location location = TRY(walk_locked(caller, base, path, options));
  const InodePtr& inode = location.dentry->inode();
  TRY(check_permission(caller.credentials, TRY(inode->getattr()), R_OK));
  if (inode->is_directory()) {
    auto writable = inode->writable_host_directory();
    if (writable) return writable;
  }
  return inode->host_object();
}

void Vfs::set_factory(const std::string& type, FilesystemFactory factory) {
  factories_[type] = std::move(factory);
}

void Vfs::prune_if_large() {
  if (cached_dentries_.load(std::memory_order_relaxed) < kMaximumCachedDentries) return;
  std::unique_lock lock(tree_lock_);
  for (const MountPtr& mount : mounts_) mount->root->prune();
  cached_dentries_.store(0, std::memory_order_relaxed);
}

}  // namespace sandbox::vfs
