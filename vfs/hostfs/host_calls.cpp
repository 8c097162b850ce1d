// statx, open, chmod, chown, create and list without following symbolic links.
#include "vfs/hostfs/host_calls.h"

#include <dirent.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/check.h"
#include "vfs/hostfs/host_directory.h"

namespace sandbox::vfs {
namespace {

constexpr long kFchmodat2 = 452;  // Linux 6.6; not in Debian 12's headers
constexpr int kWorkloadFlags = O_ACCMODE | O_APPEND | O_TRUNC | O_DIRECT | O_NONBLOCK | O_SYNC | O_DSYNC |
                               O_NOATIME | O_PATH | O_LARGEFILE | O_NOFOLLOW;

// Like openat with O_NOFOLLOW, which fcntl(F_GETFL) would show to the workload.
int open_name(HostName name, int flags, mode_t mode) {
  bool is_path = flags & O_PATH;
  bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
  open_how how{};
  how.flags = static_cast<uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC | (is_path ? 0 : O_NOCTTY)));
  how.mode = makes ? mode : 0;
  how.resolve = RESOLVE_NO_SYMLINKS;
  int fd = static_cast<int>(syscall(SYS_openat2, name.directory, name.name, &how, sizeof how));
  // A link itself can only be opened so.
  if (fd < 0 && errno == ELOOP && is_path)
    fd = openat(name.directory, name.name, flags | O_NOFOLLOW | O_CLOEXEC);
  return fd;
}

Result<UniqueFd> open_once(HostName name, int flags, mode_t mode) {
  int fd;
  if (*name.name != '\0') {
    fd = open_name(name, flags, mode);
  } else if (flags & O_PATH) {
    fd = fcntl(name.directory, F_DUPFD_CLOEXEC, 0);
  } else {
    fd = open(path_of_own_descriptor(name.directory).c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
  }
  return UniqueFd(TRY(host_result(fd)));
}

bool is_out_of_descriptors(const Errno& error) { return error == Errno(EMFILE) || error == Errno(ENFILE); }

Result<void> make_by_type(HostName name, const NewNode& node) {
  // Set-ID bits wait until the owner is right.
  mode_t mode = node.mode & 01777;
  switch (node.mode & S_IFMT) {
    case S_IFDIR:
      return host_status(mkdirat(name.directory, name.name, mode));
    case S_IFLNK:
      return host_status(symlinkat(node.symlink_target.c_str(), name.directory, name.name));
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
      return host_status(mknodat(name.directory, name.name, (node.mode & S_IFMT) | mode, 0));
    case S_IFCHR:
      // 0:0 opens nothing: it is how overlay file systems write a whiteout.
      if (node.device != 0) return err(EPERM);
      return host_status(mknodat(name.directory, name.name, S_IFCHR | mode, 0));
    default:
      return err(EPERM);
  }
}

Result<void> host_truncate(HostName name, uint64_t size) {
  // Not ftruncate: what it does to the times when the size stays is not what truncate does everywhere.
  UniqueFd file = TRY(host_open(name, O_PATH));
  return host_status(truncate64(path_of_own_descriptor(file.get()).c_str(), static_cast<off64_t>(size)));
}

Result<uid_t> outside_id(const IdMap& map, const std::optional<uid_t>& inside) {
  if (!inside) return static_cast<uid_t>(-1);
  std::optional<uint32_t> outside = map.to_outside(*inside);
  if (!outside) return err(EINVAL);
  return *outside;
}

}  // namespace

TerminatedName::TerminatedName(std::string_view name) {
  // One byte too many makes the kernel answer ENAMETOOLONG itself.
  size_t length = std::min<size_t>(name.size(), NAME_MAX + 1);
  memcpy(text_, name.data(), length);
  text_[length] = '\0';
  SANDBOX_CHECK(length > 0 && memchr(text_, '/', length) == nullptr, "a name is one component");
}

std::string path_of_own_descriptor(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

void OwnerMaps::translate(Attributes& attributes) const {
  attributes.stx_uid = users.to_inside(attributes.stx_uid);
  attributes.stx_gid = groups.to_inside(attributes.stx_gid);
}

Result<Attributes> host_attributes(HostName name) {
  Attributes attributes;
  if (syscall(SYS_statx, name.directory, name.name,
              AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | name.empty_path_flag(), STATX_BASIC_STATS | STATX_BTIME,
              &attributes) != 0) {
    return last_error();
  }
  attributes.stx_mask &= STATX_BASIC_STATS | STATX_BTIME;
  attributes.stx_mnt_id = 0;
  return attributes;
}

Result<UniqueFd> host_open(HostName name, int flags, mode_t mode) {
  Result<UniqueFd> fd = open_once(name, flags, mode);
  if (fd || !is_out_of_descriptors(fd.error())) return fd;
  HostDirectory::close_idle_descriptors();
  return open_once(name, flags, mode);
}

Result<UniqueFd> host_open_for_workload(HostName name, mode_t type, int flags, HostChanges changes) {
  flags &= kWorkloadFlags;
  if (flags & O_PATH) return host_open(name, O_PATH);
  if (type == S_IFLNK) return err(ELOOP);
  if (type == S_IFSOCK) return err(ENXIO);
  if (type == S_IFREG && changes == HostChanges::kOnlyOurs) return host_open(name, flags);
  // Another object may have the name now, and opening a FIFO or a terminal line would block.
  UniqueFd fd = TRY(host_open(name, flags | O_NONBLOCK));
  struct stat opened;
  TRY(host_status(fstat(fd.get(), &opened)));
  if ((opened.st_mode & S_IFMT) != type) return err(ESTALE);
  if (!(flags & O_NONBLOCK)) {
    // Of the flags that this can change, those asked for stay.
    TRY(host_status(fcntl(fd.get(), F_SETFL, flags)));
  }
  return fd;
}

Result<UniqueFd> host_open_created(HostName name, int flags) {
  flags &= kWorkloadFlags;
  Result<UniqueFd> fd = host_open(name, flags);
  if (fd || fd.error() != Errno(EACCES)) return fd;
  mode_t mode = TRY(host_attributes(name)).stx_mode & 07777;
  TRY(host_chmod(name, mode | S_IRUSR | S_IWUSR));
  fd = host_open(name, flags);
  TRY(host_chmod(name, mode));
  return fd;
}

Result<std::string> host_readlink(HostName name) {
  char target[PATH_MAX];
  ssize_t length = TRY(host_result(readlinkat(name.directory, name.name, target, sizeof target)));
  return std::string(target, static_cast<size_t>(length));
}

Result<void> host_chmod(HostName name, mode_t mode) {
  static std::atomic<bool> has_fchmodat2{true};
  if (has_fchmodat2.load(std::memory_order_relaxed)) {
    Result<void> status = host_status(
        syscall(kFchmodat2, name.directory, name.name, mode, AT_SYMLINK_NOFOLLOW | name.empty_path_flag()));
    // Filters of containers answer EPERM for calls that they do not know; the way below then decides.
    if (status || (status.error() != Errno(ENOSYS) && status.error() != Errno(EPERM))) return status;
    if (status.error() == Errno(ENOSYS)) has_fchmodat2 = false;
  }
  UniqueFd object = TRY(host_open(name, O_PATH));
  return host_status(chmod(path_of_own_descriptor(object.get()).c_str(), mode));
}

Result<void> host_chown(HostName name, uid_t uid, gid_t gid) {
  return host_status(
      fchownat(name.directory, name.name, uid, gid, AT_SYMLINK_NOFOLLOW | name.empty_path_flag()));
}

Result<void> host_set_times(HostName name, const timespec& atime, const timespec& mtime) {
  timespec times[2] = {atime, mtime};
  return host_status(
      syscall(SYS_utimensat, name.directory, name.name, times, AT_SYMLINK_NOFOLLOW | name.empty_path_flag()));
}

namespace {

// What changes of owner and mode mean where the host cannot hold every one.
Result<void> change_record(HostName name, const AttributeChange& change, const OwnerMaps& maps) {
  const Attributes on_host = TRY(host_attributes(name));
  const mode_t type = on_host.stx_mode & S_IFMT;
  const bool has_record = maps.record_of(name, on_host).has_value();
  Attributes attributes = on_host;
  maps.show(name, attributes);
  OwnerRecord owner{.uid = change.uid.value_or(attributes.stx_uid),
                    .gid = change.gid.value_or(attributes.stx_gid),
                    .mode = change.mode.value_or(attributes.stx_mode) & 07777};
  if (S_ISCHR(attributes.stx_mode) || S_ISBLK(attributes.stx_mode)) {
    owner.mode |= attributes.stx_mode & S_IFMT;
    owner.device = makedev(attributes.stx_rdev_major, attributes.stx_rdev_minor);
  }
  mode_t mode = owner.mode & 01777;
  if (has_record || !maps.can_hold(owner, type)) {
    TRY(maps.keep(name, on_host, owner));
    mode = mode_on_host(type | (owner.mode & 0777));
  }
  return S_ISLNK(type) ? Result<void>() : host_chmod(name, mode);
}

}  // namespace

Result<void> host_change(HostName name, const AttributeChange& change, const OwnerMaps& maps) {
  if (maps.record != nullptr) {
    if (change.size) TRY(host_truncate(name, *change.size));
    if (change.uid || change.gid || change.mode) TRY(change_record(name, change, maps));
    if (!change.atime && !change.mtime) return {};
    const timespec omit{0, UTIME_OMIT};
    return host_set_times(name, change.atime.value_or(omit), change.mtime.value_or(omit));
  }
  uid_t uid = TRY(outside_id(maps.users, change.uid));
  gid_t gid = TRY(outside_id(maps.groups, change.gid));
  if (change.size) TRY(host_truncate(name, *change.size));
  // chown takes set-ID bits away, so the mode comes after it.
  if (change.uid || change.gid) TRY(host_chown(name, uid, gid));
  if (change.mode) TRY(host_chmod(name, *change.mode & 07777));
  if (change.atime || change.mtime) {
    const timespec omit{0, UTIME_OMIT};
    TRY(host_set_times(name, change.atime.value_or(omit), change.mtime.value_or(omit)));
  }
  return {};
}

std::optional<OwnerRecord> host_read_record(HostName name, const char* attribute) {
  auto text = host_getxattr(name, attribute);
  return text ? OwnerRecord::parse(*text) : std::nullopt;
}

Result<void> host_write_record(HostName name, const char* attribute, const OwnerRecord& record) {
  return host_setxattr(name, attribute, record.text(), 0);
}

bool OwnerMaps::has_record_for(mode_t type) const {
  if (record == nullptr) return false;
  const bool is_suitable = S_ISREG(type) || S_ISDIR(type);
  return is_suitable || std::string_view(record) == kMemoryOwnerRecordXattr;
}

std::optional<OwnerRecord> OwnerMaps::record_of(HostName name, const Attributes& object) const {
  if (record == nullptr) return std::nullopt;
  if (has_record_for(object.stx_mode & S_IFMT)) return host_read_record(name, record);
  return passing == nullptr ? std::nullopt : passing->find(object);
}

Result<void> OwnerMaps::keep(HostName name, const Attributes& object, const OwnerRecord& owner) const {
  if (has_record_for(object.stx_mode & S_IFMT)) return host_write_record(name, record, owner);
  if (passing != nullptr) passing->note(object, owner);
  return {};
}

void OwnerMaps::show(HostName name, Attributes& attributes) const {
  auto owner = record_of(name, attributes);
  if (!owner) return translate(attributes);
  attributes.stx_uid = owner->uid;
  attributes.stx_gid = owner->gid;
  const mode_t type =
      owner->is_device() && attributes.stx_size == 0 ? owner->mode & S_IFMT : attributes.stx_mode & S_IFMT;
  attributes.stx_mode = static_cast<uint16_t>(type | (owner->mode & 07777));
  attributes.stx_rdev_major = major(owner->device);
  attributes.stx_rdev_minor = minor(owner->device);
}

bool OwnerMaps::can_hold(const OwnerRecord& owner, mode_t type) const {
  if (record == nullptr) return true;
  if (users.to_outside(owner.uid) != geteuid() || groups.to_outside(owner.gid) != getegid()) return false;
  const mode_t needed = mode_on_host((type & S_IFMT) | (owner.mode & 0777));
  return !owner.is_device() && (owner.mode & 06000) == 0 && (owner.mode & needed) == needed;
}

Result<HostNode> host_node_below(const NewNode& node, HostName parent, const OwnerMaps& maps) {
  const bool is_device = (S_ISCHR(node.mode) || S_ISBLK(node.mode)) && maps.record != nullptr;
  OwnerRecord owner{.uid = node.uid, .gid = node.gid, .mode = node.mode & 07777};
  if (is_device) {
    owner.mode |= node.mode & S_IFMT;
    owner.device = node.device;
  }
  if (!maps.can_hold(owner, node.mode)) {
    HostNode made{.node = node, .record = owner, .maps = &maps};
    made.node.uid = geteuid();
    made.node.gid = getegid();
    const mode_t type = is_device ? S_IFREG : node.mode & S_IFMT;
    made.node.mode = type | mode_on_host(type | (node.mode & 0777));
    made.node.device = 0;
    return made;
  }
  NewNode made = node;
  std::optional<uint32_t> uid = maps.users.to_outside(node.uid);
  std::optional<uint32_t> gid = maps.groups.to_outside(node.gid);
  if (!gid) {
    Attributes above = TRY(host_attributes(parent));
    if (above.stx_mode & S_ISGID) gid = above.stx_gid;
  }
  if (!uid || !gid) return err(EOVERFLOW);
  made.uid = *uid;
  made.gid = *gid;
  return HostNode{.node = std::move(made)};
}

Result<void> host_finish_node(HostName name, const Attributes& made, const NewNode& node) {
  bool has_owner = made.stx_uid == node.uid && made.stx_gid == node.gid;
  if (!has_owner) TRY(host_chown(name, node.uid, node.gid));
  if (S_ISLNK(node.mode)) return {};
  bool has_mode = ((made.stx_mode ^ node.mode) & 07777) == 0;
  if (!has_mode || (!has_owner && (node.mode & 07000))) TRY(host_chmod(name, node.mode & 07777));
  return {};
}

Result<Attributes> host_make(HostName name, const NewNode& node) {
  TRY(make_by_type(name, node));
  Result<Attributes> made = host_attributes(name);
  Result<void> finished;
  if (made) finished = host_finish_node(name, *made, node);
  if (made && finished) return made;
  unlinkat(name.directory, name.name, S_ISDIR(node.mode) ? AT_REMOVEDIR : 0);
  return std::unexpected(made ? finished.error() : made.error());
}

Result<Attributes> host_make(HostName name, const HostNode& node) {
  Attributes made = TRY(host_make(name, node.node));
  if (!node.record) return made;
  auto recorded = node.maps->keep(name, made, *node.record);
  if (recorded) return made;
  unlinkat(name.directory, name.name, S_ISDIR(node.node.mode) ? AT_REMOVEDIR : 0);
  return std::unexpected(recorded.error());
}

Result<UniqueFd> host_make_unnamed(int directory, int flags, const HostNode& wanted) {
  const NewNode& node = wanted.node;
  flags = (flags & kWorkloadFlags & ~O_PATH) | (flags & O_EXCL) | O_TMPFILE;
  UniqueFd file = TRY(host_open({directory, "."}, flags, node.mode & 01777));
  HostName itself{file.get(), ""};
  Attributes made = TRY(host_attributes(itself));
  TRY(host_finish_node(itself, made, node));
  if (wanted.record) TRY(wanted.maps->keep(itself, made, *wanted.record));
  return file;
}

Result<void> host_link_unnamed(int object, HostName name) {
  if (linkat(object, "", name.directory, name.name, AT_EMPTY_PATH) == 0) return {};
  // Without CAP_DAC_READ_SEARCH the kernel says ENOENT; the way through /proc needs no capability.
  if (errno != ENOENT && errno != EPERM) return last_error();
  return host_status(
      linkat(AT_FDCWD, path_of_own_descriptor(object).c_str(), name.directory, name.name, AT_SYMLINK_FOLLOW));
}

Result<void> host_list(int directory, const TakeEntry& take) {
  UniqueFd opened = TRY(host_open({directory, "."}, O_RDONLY | O_DIRECTORY));
  alignas(dirent64) char buffer[32768];
  for (;;) {
    long length = TRY(host_result(syscall(SYS_getdents64, opened.get(), buffer, sizeof buffer)));
    if (length == 0) return {};
    for (long at = 0; at < length;) {
      auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const char* name = entry->d_name;
      if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) continue;
      if (!take(name, entry->d_ino, entry->d_type)) return {};
    }
  }
}

namespace {

// The path as the kernel prints it: from the root of a detached mount, else from the sentry's own root.
std::optional<std::string> printed_path(int fd) {
  auto path = host_readlink({AT_FDCWD, path_of_own_descriptor(fd).c_str()});
  if (!path || path->size() >= PATH_MAX - 1 || !path->starts_with('/')) return std::nullopt;
  return *path;
}

struct MountedObject {
  uint64_t mount, inode;
  uint32_t device_major, device_minor;
  bool operator==(const MountedObject&) const = default;
};

std::optional<MountedObject> mounted_object(int fd) {
  Attributes attributes;
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &attributes) != 0)
    return std::nullopt;
  return MountedObject{attributes.stx_mnt_id, attributes.stx_ino, attributes.stx_dev_major,
                       attributes.stx_dev_minor};
}

Result<UniqueFd> open_beneath(int root, const std::string& relative) {
  if (relative.empty()) return host_open({root, ""}, O_PATH);
  open_how how{O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  return UniqueFd(
      TRY(host_result(static_cast<int>(syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how)))));
}

}  // namespace

std::optional<std::string> host_path_below(int root, int object) {
  auto root_path = printed_path(root), object_path = printed_path(object);
  if (!root_path || !object_path) return std::nullopt;
  std::string_view below = *object_path;
  if (*root_path != "/") {
    if (!below.starts_with(*root_path)) return std::nullopt;
    below.remove_prefix(root_path->size());
  }
  if (!below.empty() && below.front() != '/') return std::nullopt;
  if (!below.empty()) below.remove_prefix(1);
  auto found = open_beneath(root, std::string(below));
  if (!found) return std::nullopt;
  auto wanted = mounted_object(object);
  if (!wanted || mounted_object(found->get()) != wanted) return std::nullopt;
  return "/" + std::string(below);
}

std::string filesystem_type_name(long magic) {
  static constexpr struct {
    unsigned long magic;
    const char* name;
  } kNames[] = {
      {EXT4_SUPER_MAGIC, "ext4"},
      {TMPFS_MAGIC, "tmpfs"},
      {XFS_SUPER_MAGIC, "xfs"},
      {BTRFS_SUPER_MAGIC, "btrfs"},
      {OVERLAYFS_SUPER_MAGIC, "overlay"},
      {0x2fc12fc1, "zfs"},
      {NFS_SUPER_MAGIC, "nfs"},
      {SQUASHFS_MAGIC, "squashfs"},
      {EROFS_SUPER_MAGIC_V1, "erofs"},
      {F2FS_SUPER_MAGIC, "f2fs"},
      {FUSE_SUPER_MAGIC, "fuse"},
      {MSDOS_SUPER_MAGIC, "vfat"},
      {0x2011bab0, "exfat"},
      {ISOFS_SUPER_MAGIC, "iso9660"},
      {V9FS_MAGIC, "9p"},
      {RAMFS_MAGIC, "ramfs"},
      {0xca451a4e, "bcachefs"},
      {DEVPTS_SUPER_MAGIC, "devpts"},
      {PROC_SUPER_MAGIC, "proc"},
      {SYSFS_MAGIC, "sysfs"},
      {CGROUP2_SUPER_MAGIC, "cgroup2"},
      {0x6a656a63, "virtiofs"},
      {CIFS_SUPER_MAGIC, "cifs"},
  };
  for (const auto& known : kNames) {
    if (static_cast<unsigned long>(magic) == known.magic) return known.name;
  }
  return "unknown";
}

}  // namespace sandbox::vfs
