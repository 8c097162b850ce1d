// Walk: path_resolution(7) over the dentry cache.
#include "vfs/core/walk.h"

#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <time.h>
#include <unistd.h>

#include "vfs/core/permission.h"

namespace sandbox::vfs {
namespace {

constexpr int kMaximumLinks = 40;
// Directories of a file system that others change are believed this long; an object that is opened,
// statted or changed is always asked itself.
constexpr uint64_t kDirectoryAgeMs = 1000;

uint64_t now_ms() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace

Walk::Walk(Vfs& vfs, const Caller& caller, const Location& base, uint64_t resolve)
    : vfs_(vfs),
      caller_(caller),
      resolve_(resolve),
      top_(resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH) ? base : caller.root),
      at_(base) {}

Result<void> Walk::start(std::string_view path) {
  if (path.size() >= PATH_MAX) return err(ENAMETOOLONG);
  rest_ = path;
  if (!path.empty() && path.front() == '/') {
    if (resolve_ & RESOLVE_BENEATH) return err(EXDEV);
    at_ = top_;
  }
  return {};
}

bool Walk::next_component(std::string_view* name, bool* is_last) {
  size_t begin = rest_.find_first_not_of('/');
  if (begin == std::string_view::npos) return false;
  size_t end = rest_.find('/', begin);
  if (end == std::string_view::npos) end = rest_.size();
  *name = rest_.substr(begin, end - begin);
  rest_.remove_prefix(end);
  *is_last = rest_.find_first_not_of('/') == std::string_view::npos;
  has_trailing_slash_ = *is_last && !rest_.empty();
  return true;
}

Result<void> Walk::check_search() {
  const InodePtr& inode = at_.dentry->inode();
  if (!inode->is_directory()) return err(ENOTDIR);
  const Credentials& who = caller_.credentials;
  if (who.has_capability(CAP_DAC_READ_SEARCH) || who.has_capability(CAP_DAC_OVERRIDE)) return {};
  return check_permission(who, TRY(inode->permission_attributes(now_ms())), X_OK);
}

Result<void> Walk::step_up() {
  if (at_ == top_) return resolve_ & RESOLVE_BENEATH ? Result<void>(err(EXDEV)) : Result<void>();
  while (at_.dentry == at_.mount->root) {
    if (!at_.mount->parent) return {};
    if (resolve_ & RESOLVE_NO_XDEV) return err(EXDEV);
    at_ = {at_.mount->parent, at_.mount->mountpoint};
    if (at_ == top_) break;
  }
  if (at_.dentry->parent()) at_ = vfs_.top_mount_at({at_.mount, at_.dentry->parent()});
  return {};
}

Result<Walk::Followed> Walk::follow_link(const Location& link) {
  if (resolve_ & RESOLVE_NO_SYMLINKS) return err(ELOOP);
  if (++links_ > kMaximumLinks) return err(ELOOP);
  const InodePtr& inode = link.dentry->inode();
  if (std::optional<Location> target = TRY(inode->follow_magic(caller_))) {
    if (resolve_ & RESOLVE_NO_MAGICLINKS) return err(ELOOP);
    if (resolve_ & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) return err(EXDEV);
    at_ = std::move(*target);
    return Followed::kObject;
  }
  std::string target = TRY(inode->readlink(caller_));
  if (target.empty()) return err(ENOENT);
  if (target.front() == '/') {
    if (resolve_ & RESOLVE_BENEATH) return err(EXDEV);
    at_ = top_;
  }
  spliced_ = target.append(rest_);
  rest_ = spliced_;
  return Followed::kPath;
}

Result<void> Walk::step_into(std::string_view name, bool is_last, FollowLast follow) {
  if (name.size() > NAME_MAX) return err(ENAMETOOLONG);
  DentryPtr child = TRY(vfs_.child_of(at_.dentry, name));
  if (child->is_negative()) return err(ENOENT);
  Location next = vfs_.top_mount_at({at_.mount, child});
  if ((resolve_ & RESOLVE_NO_XDEV) && next.mount != at_.mount) return err(EXDEV);
  bool must_follow = !is_last || has_trailing_slash_ || follow == FollowLast::kYes;
  if (next.dentry->inode()->is_symlink() && must_follow) {
    TRY(follow_link(next));
    return {};
  }
  at_ = std::move(next);
  return {};
}

Result<Location> Walk::to_end(std::string_view path, FollowLast follow) {
  TRY(start(path));
  if (path.empty()) return err(ENOENT);
  std::string_view name;
  bool is_last = false;
  bool must_be_directory = false;
  while (next_component(&name, &is_last)) {
    TRY(check_search());
    must_be_directory = has_trailing_slash_ || name == "." || name == "..";
    if (name == ".") continue;
    if (name == "..") {
      TRY(step_up());
      continue;
    }
    TRY(step_into(name, is_last, follow));
  }
  if (must_be_directory && !at_.dentry->inode()->is_directory()) return err(ENOTDIR);
  return at_;
}

Result<Vfs::Parent> Walk::to_parent(std::string_view path) {
  TRY(start(path));
  if (path.empty()) return err(ENOENT);
  return rest_to_parent();
}

Result<Vfs::Parent> Walk::rest_to_parent() {
  std::string_view name;
  bool is_last = false;
  while (next_component(&name, &is_last)) {
    TRY(check_search());
    if (is_last) {
      LastKind kind = name == "." ? LastKind::kDot : name == ".." ? LastKind::kDotDot : LastKind::kName;
      if (kind == LastKind::kName && name.size() > NAME_MAX) return err(ENAMETOOLONG);
      return Vfs::Parent{at_, std::string(name), kind, has_trailing_slash_};
    }
    if (name == ".") continue;
    if (name == "..") {
      TRY(step_up());
      continue;
    }
    TRY(step_into(name, false, FollowLast::kYes));
  }
  return Vfs::Parent{at_, "", LastKind::kRoot, false};
}

Result<Location> Walk::to_dot_dot() {
  TRY(step_up());
  return at_;
}

Result<Vfs::Parent> Walk::through_symlink(const Vfs::Parent& parent, const DentryPtr& link) {
  at_ = parent.directory;
  rest_ = parent.has_trailing_slash ? "/" : "";
  Followed followed = TRY(follow_link({parent.directory.mount, link}));
  if (followed == Followed::kObject) return Vfs::Parent{at_, "", LastKind::kRoot, parent.has_trailing_slash};
  return rest_to_parent();
}

Result<DentryPtr> Vfs::child_of(const DentryPtr& directory, std::string_view name) {
  const InodePtr& inode = directory->inode();
  CachePolicy policy = inode->filesystem().cache_policy();
  if (DentryPtr cached = directory->find_child(name)) {
    if (cached->is_pinned || cached->mounts_here.load(std::memory_order_relaxed) > 0 ||
        policy == CachePolicy::kTrust)
      return cached;
    if (policy == CachePolicy::kRevalidate && !cached->is_negative()) {
      if (!cached->inode()->is_directory()) return cached;
      uint64_t now = now_ms();
      if (now - cached->checked_at_ms.load(std::memory_order_relaxed) < kDirectoryAgeMs) return cached;
      if (inode->is_current(name, cached->inode())) {
        cached->checked_at_ms.store(now, std::memory_order_relaxed);
        return cached;
      }
    }
    directory->forget_child(name);
  }
  if (directory->is_deleted()) return err(ENOENT);
  auto found = inode->lookup(name);
  if (!found && found.error() != Errno(ENOENT)) return std::unexpected(found.error());
  auto child = std::make_shared<Dentry>(directory, std::string(name), found ? *found : nullptr);
  bool is_kept = policy == CachePolicy::kTrust || (policy == CachePolicy::kRevalidate && found);
  if (!is_kept) return child;
  child->checked_at_ms.store(now_ms(), std::memory_order_relaxed);
  cached_dentries_.fetch_add(1, std::memory_order_relaxed);
  return directory->add_child(std::move(child));
}

Location Vfs::top_mount_at(Location location) const {
  while (location.dentry->mounts_here.load(std::memory_order_relaxed) > 0) {
    MountPtr on_top;
    for (const MountPtr& mount : mounts_)
      if (mount->parent == location.mount && mount->mountpoint == location.dentry) on_top = mount;
    if (!on_top) break;
    location = {on_top, on_top->root};
  }
  return location;
}

Result<Location> Vfs::walk_locked(const Caller& caller, const Location& base, std::string_view path,
                                  const WalkOptions& options) {
  if (path.empty() && options.empty_path == WalkOptions::EmptyPath::kAllowed) return base;
  return Walk(*this, caller, base, options.resolve).to_end(path, options.follow);
}

Result<Vfs::Parent> Vfs::walk_parent(const Caller& caller, const Location& base, std::string_view path,
                                     uint64_t resolve) {
  return Walk(*this, caller, base, resolve).to_parent(path);
}

Result<Location> Vfs::walk(const Caller& caller, const Location& base, std::string_view path,
                           const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  return walk_locked(caller, base, path, options);
}

Result<Attributes> Vfs::attributes_of(const Location& location) {
  auto attributes = location.dentry->inode()->getattr();
  if (!attributes) return attributes;
  attributes->stx_mnt_id = static_cast<uint64_t>(location.mount->id);
  return attributes;
}

std::string Vfs::path_string(const Location& root, const Location& location) const {
  Location at = location;
  std::string path;
  while (!(at == root)) {
    if (at.dentry == at.mount->root) {
      if (!at.mount->parent) break;
      at = {at.mount->parent, at.mount->mountpoint};
      continue;
    }
    if (!at.dentry->parent()) break;
    path.insert(0, at.dentry->name()).insert(0, "/");
    at.dentry = at.dentry->parent();
  }
  return path.empty() ? "/" : path;
}

namespace {

bool is_gone(const Location& location) {
  for (const Dentry* at = location.dentry.get(); at; at = at->parent().get())
    if (at->is_deleted()) return true;
  return false;
}

// Whether `location` is `root` or below it.
bool is_reachable(const Location& root, Location location) {
  while (!(location == root)) {
    if (location.dentry == location.mount->root) {
      if (!location.mount->parent) return false;
      location = {location.mount->parent, location.mount->mountpoint};
    } else if (location.dentry->parent()) {
      location.dentry = location.dentry->parent();
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::string> Vfs::path_of(const Caller& caller, const Location& location) {
  std::shared_lock lock(tree_lock_);
  if (is_gone(location)) return err(ENOENT);
  std::string path = path_string(caller.root, location);
  if (!is_reachable(caller.root, location)) path.insert(0, "(unreachable)");
  return path;
}

std::string Vfs::display_path(const Location& root, const Location& location) {
  std::shared_lock lock(tree_lock_);
  if (location.mount == anonymous_mount_) return location.dentry->name();
  std::string path = path_string(root, location);
  if (is_gone(location)) path += " (deleted)";
  return path;
}

}  // namespace sandbox::vfs
