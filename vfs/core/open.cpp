// Vfs: open(2) and what else yields descriptors (fs/namei.c: do_open, may_open; fs/open.c: build_open_flags).
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/core/directory_stubs.h"
#include "vfs/core/fresh_attributes.h"
#include "vfs/core/generated_file.h"
#include "vfs/core/permission.h"
#include "vfs/core/vfs.h"
#include "vfs/core/walk.h"

namespace sandbox::vfs {
namespace {

bool wants_writing(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC); }
bool wants_reading(int flags) { return (flags & O_ACCMODE) != O_WRONLY; }

// What a file system's open may see: everything else is decided here.
constexpr int kPassedFlags = O_ACCMODE | O_APPEND | O_TRUNC | O_DIRECT | O_NONBLOCK | O_SYNC | O_DSYNC |
                             O_NOATIME | O_PATH | O_ASYNC | O_NOFOLLOW;
// What F_GETFL of an open directory shows of the flags it was opened with.
constexpr int kDirectoryFlags =
    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_APPEND | O_NONBLOCK | O_SYNC | O_NOATIME;

Result<void> check_flags(const OpenRequest& request) {
  bool is_tmpfile = (request.flags & O_TMPFILE) == O_TMPFILE;
  if (is_tmpfile && !wants_writing(request.flags & O_ACCMODE)) return err(EINVAL);
  bool creates_directory = (request.flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY);
  if (creates_directory && !(request.flags & O_PATH)) return err(EINVAL);
  return {};
}

}  // namespace

Result<OpenedFile> Vfs::open(const Caller& caller, const Location& base, std::string_view path,
                             const OpenRequest& asked) {
  TRY(check_flags(asked));
  OpenRequest request = asked;
  if (request.flags & O_PATH) request.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
  bool creates = request.flags & O_CREAT;
  bool is_tmpfile = (request.flags & O_TMPFILE) == O_TMPFILE;
  bool changes_tree = creates || is_tmpfile || wants_writing(request.flags);

  std::unique_lock exclusive(tree_lock_, std::defer_lock);
  std::shared_lock shared(tree_lock_, std::defer_lock);
  if (changes_tree)
    exclusive.lock();
  else
    shared.lock();

  std::optional<FreshAttributes> fresh;
  if (!changes_tree) fresh.emplace();

  if (creates) return open_creating(caller, base, path, request);
  bool follows = !(request.flags & O_NOFOLLOW) && (request.flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
  WalkOptions options{follows ? FollowLast::kYes : FollowLast::kNo, request.resolve};
  Location location = TRY(walk_locked(caller, base, path, options));
  if (is_tmpfile) return open_unnamed(caller, location, request);
  auto opened = open_existing(caller, location, request.flags, false);
  if (!opened && opened.error() == Errno(ESTALE) && location.dentry->parent()) {
    location.dentry->parent()->forget_child(location.dentry->name());
    location = TRY(walk_locked(caller, base, path, options));
    opened = open_existing(caller, location, request.flags, false);
  }
  return opened;
}

Result<OpenedFile> Vfs::open_creating(const Caller& caller, const Location& base, std::string_view path,
                                      const OpenRequest& request) {
  Walk walk(*this, caller, base, request.resolve);
  Parent parent = TRY(walk.to_parent(path));
  bool is_exclusive = request.flags & O_EXCL;
  while (true) {
    if (parent.kind != LastKind::kName) {
      if (parent.kind == LastKind::kDotDot) parent.directory = TRY(walk.to_dot_dot());
      if (is_exclusive) return err(EEXIST);
      if (parent.directory.dentry->inode()->is_directory()) return err(EISDIR);
      return open_existing(caller, parent.directory, request.flags, false);
    }
    if (parent.has_trailing_slash) return err(EISDIR);
    DentryPtr child = TRY(child_of(parent.directory.dentry, parent.name));
    if (child->is_negative()) break;
    if (is_exclusive) return err(EEXIST);
    Location found = top_mount_at({parent.directory.mount, child});
    bool is_link = found.dentry->inode()->is_symlink();
    if (!is_link || (request.flags & O_NOFOLLOW)) {
      if (found.dentry->inode()->is_directory()) return err(EISDIR);
      return open_existing(caller, found, request.flags, false);
    }
    parent = TRY(walk.through_symlink(parent, child));
  }

  NewNode node =
      TRY(owned_by_caller(caller, parent.directory, S_IFREG | ((request.mode & 07777) & ~caller.umask)));
  TRY(check_create(caller, parent));
  DentryPtr made = TRY(create_at(parent, node));
  return open_existing(caller, {parent.directory.mount, made}, request.flags & ~(O_CREAT | O_EXCL | O_TRUNC),
                       true);
}

Result<OpenedFile> Vfs::open_unnamed(const Caller& caller, const Location& directory,
                                     const OpenRequest& request) {
  const InodePtr& inode = directory.dentry->inode();
  if (!inode->is_directory()) return err(ENOTDIR);
  if (directory.mount->flags.is_read_only) return err(EROFS);
  TRY(check_permission(caller.credentials, TRY(inode->getattr()), W_OK | X_OK));
  NewNode node = TRY(owned_by_caller(caller, directory, S_IFREG | ((request.mode & 07777) & ~caller.umask)));
  int flags = request.flags & (kPassedFlags | O_EXCL);
  return OpenedFile{TRY(inode->open_unnamed(caller, flags, node)), std::nullopt};
}

Result<OpenedFile> Vfs::open_directory(const Location& directory, int flags) {
  return OpenedFile{TRY(stubs_->open(directory, flags & kDirectoryFlags)), std::nullopt};
}

// may_open() and inode_permission(), in their order.
Result<void> Vfs::check_open(const Caller& caller, const Location& location, int flags) {
  const InodePtr& inode = location.dentry->inode();
  const MountFlags& mount = location.mount->flags;
  mode_t type = inode->type();
  if (type == S_IFLNK) return err(ELOOP);
  if (type == S_IFDIR && wants_writing(flags)) return err(EISDIR);
  const bool is_device = type == S_IFCHR || type == S_IFBLK;
  if (is_device && mount.is_nodev) return err(EACCES);
  int mask = (wants_reading(flags) ? R_OK : 0) | (wants_writing(flags) ? W_OK : 0);
  Attributes attributes = TRY(inode->getattr());
  TRY(check_permission(caller.credentials, attributes, mask));
  if (is_device) TRY(device_rules_.check(type, attributes.stx_rdev_major, attributes.stx_rdev_minor, mask));
  if (flags & O_NOATIME) TRY(check_owner(caller.credentials, attributes));
  if (type == S_IFREG && wants_writing(flags)) {
    if (mount.is_read_only) return err(EROFS);
    if (is_executing_(attributes)) return err(ETXTBSY);
  }
  return {};
}

Result<OpenedFile> Vfs::open_existing(const Caller& caller, const Location& location, int flags,
                                      bool was_created) {
  const InodePtr& inode = location.dentry->inode();
  if ((flags & O_DIRECTORY) && !inode->is_directory()) return err(ENOTDIR);
  if (flags & O_PATH) {
    if (inode->is_directory()) return open_directory(location, flags);
    if (inode->is_generated())
      return OpenedFile{TRY(generated_->open(location, "", O_PATH, 0444)), std::nullopt};
    return OpenedFile{TRY(inode->open(caller, O_PATH)), std::nullopt};
  }
  if (!was_created) TRY(check_open(caller, location, flags));
  if (inode->is_directory()) return open_directory(location, flags);
  if (inode->is_generated()) {
    Attributes attributes = TRY(inode->getattr());
    if (wants_writing(flags)) TRY(inode->accept_writing(caller));
    std::string content = wants_reading(flags) ? TRY(inode->generate(&caller)) : std::string();
    return OpenedFile{TRY(generated_->open(location, content, flags, attributes.stx_mode)), std::nullopt};
  }
  bool may_block = inode->type() == S_IFIFO && !(flags & O_NONBLOCK) && (flags & O_ACCMODE) != O_RDWR;
  int passed = flags & kPassedFlags;
  if (may_block) return OpenedFile{TRY(inode->open(caller, O_PATH)), passed & ~O_TRUNC};
  if (inode->type() != S_IFREG) passed &= ~O_TRUNC;
  return OpenedFile{TRY(inode->open(caller, passed)), std::nullopt};
}

Result<OpenedProgram> Vfs::open_program(const Caller& caller, const Location& base, std::string_view path,
                                        const WalkOptions& options) {
  std::shared_lock lock(tree_lock_);
  Location location = TRY(walk_locked(caller, base, path, options));
  const InodePtr& inode = location.dentry->inode();
  if (inode->is_symlink()) return err(ELOOP);
  if (!inode->is_regular() || location.mount->flags.is_noexec) return err(EACCES);
  TRY(check_permission(caller.credentials, TRY(inode->getattr()), X_OK));
  UniqueFd fd = TRY(inode->open(caller, O_RDONLY));
  // A read lease is refused while anybody has the file open for writing: what deny_write_access asks.
  bool is_being_written = ::fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
  if (is_being_written) return err(ETXTBSY);
  ::fcntl(fd.get(), F_SETLEASE, F_UNLCK);
  return OpenedProgram{std::move(fd), location};
}

Result<off_t> Vfs::read_directory(const Caller& caller, int host_fd,
                                  const std::function<bool(const ListedEntry&)>& take) {
  std::optional<Location> location = directory_of(host_fd);
  if (!location) {
    const bool is_path_only = TRY(host_result(::fcntl(host_fd, F_GETFL))) & O_PATH;
    return err(is_path_only ? EBADF : ENOTDIR);
  }
  std::shared_lock lock(tree_lock_);
  const DentryPtr& dentry = location->dentry;
  std::lock_guard listing_lock(dentry->listing_lock);
  const off_t start = TRY(host_result(::lseek(host_fd, 0, SEEK_CUR)));  // EBADF: a path only
  if (dentry->is_deleted()) return err(ENOENT);
  auto position = static_cast<uint64_t>(start);
  if (position == 0 || !dentry->listing) {
    auto entries = TRY(dentry->inode()->list(caller));
    for (const DentryPtr& pinned : dentry->pinned_children())
      entries.push_back({pinned->name(), TRY(pinned->inode()->getattr()).stx_ino,
                         static_cast<uint8_t>(pinned->inode()->type() >> 12)});
    if (!dentry->listing) dentry->listing = std::make_unique<DirectoryListing>();
    dentry->listing->refresh(std::move(entries));
  }
  const DirectoryListing& listing = *dentry->listing;
  Location up = *location;
  while (up.dentry == up.mount->root && up.mount->parent && !(up == caller.root))
    up = {up.mount->parent, up.mount->mountpoint};
  const DentryPtr& parent = up.dentry->parent() && !(up == caller.root) ? up.dentry->parent() : up.dentry;
  for (; position < listing.slot_count() + 2; ++position) {
    if (position < 2) {
      const DentryPtr& self = position == 0 ? dentry : parent;
      DirectoryEntry entry{position == 0 ? "." : "..", TRY(self->inode()->number()), DT_DIR};
      if (!take({entry, position + 1})) break;
      continue;
    }
    const DirectoryEntry* entry = listing.slot(position - 2);
    if (entry && !take({*entry, position + 1})) break;
  }
  const off_t end = static_cast<off_t>(position);
  if (end != start) TRY(host_result(::lseek(host_fd, end, SEEK_SET)));
  return start;
}

Result<std::optional<std::string>> Vfs::refill(const Caller& caller, int host_fd) {
  struct stat status;
  TRY(host_status(::fstat(host_fd, &status)));
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::optional<Location> location = generated_->location_of(status.st_dev, status.st_ino);
  if (!location) return std::nullopt;
  auto made = generated_->refill(host_fd, status.st_ino, [&]() -> Result<std::string> {
    std::shared_lock lock(tree_lock_);
    return location->dentry->inode()->generate(&caller);
  });
  if (!made) return std::nullopt;  // its process is gone: the last content stays
  return *std::move(made);
}

}  // namespace sandbox::vfs
