// OpenObject: nodes without a place in any tree.
#include "vfs/core/open_object.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace sandbox::vfs {
namespace {

class AnonymousFilesystem : public Filesystem {
 public:
  AnonymousFilesystem() : Filesystem("anon", CachePolicy::kTrust) {}
  InodePtr root() override { return nullptr; }
  Result<struct statfs> statfs() override {
    struct statfs status{};
    status.f_type = 0x09041934;  // ANON_INODE_FS_MAGIC
    status.f_bsize = 4096;
    status.f_namelen = 255;
    return status;
  }
  dev_t device() override { return 0; }
};

class OpenObject : public Inode {
 public:
  OpenObject(Filesystem& filesystem, UniqueFd fd, mode_t type, ObjectOrigin origin, const IdMap& uid_map,
             const IdMap& gid_map, const ObjectOwners* owners)
      : Inode(filesystem, type),
        fd_(std::move(fd)),
        origin_(origin),
        uid_map_(uid_map),
        gid_map_(gid_map),
        owners_(owners) {}

  Result<Attributes> getattr() override {
    Attributes attributes;
    TRY(host_status(::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &attributes)));
    if (owners_ != nullptr) {
      owners_->show(fd_.get(), attributes);
      return attributes;
    }
    attributes.stx_uid = uid_map_.to_inside(attributes.stx_uid);
    attributes.stx_gid = gid_map_.to_inside(attributes.stx_gid);
    return attributes;
  }

  Result<void> setattr(const AttributeChange& change) override {
    TRY(check_changeable());
    if (owners_ != nullptr) return owners_->change(fd_.get(), change);
    std::string path = host_path();
    if (change.uid || change.gid) {
      uid_t uid = static_cast<uid_t>(-1);
      gid_t gid = static_cast<gid_t>(-1);
      if (change.uid) {
        auto outside = uid_map_.to_outside(*change.uid);
        if (!outside) return err(EINVAL);
        uid = *outside;
      }
      if (change.gid) {
        auto outside = gid_map_.to_outside(*change.gid);
        if (!outside) return err(EINVAL);
        gid = *outside;
      }
      TRY(host_status(::chown(path.c_str(), uid, gid)));
    }
    if (change.mode) TRY(host_status(::chmod(path.c_str(), *change.mode)));
    if (change.size) TRY(host_status(::truncate(path.c_str(), static_cast<off_t>(*change.size))));
    if (change.atime || change.mtime) {
      timespec omit{0, UTIME_OMIT};
      timespec times[2] = {change.atime.value_or(omit), change.mtime.value_or(omit)};
      TRY(host_status(::utimensat(AT_FDCWD, path.c_str(), times, 0)));
    }
    return {};
  }

  Result<std::string> readlink(const Caller&) override {
    if (!is_symlink()) return err(EINVAL);
    char target[PATH_MAX];
    auto length = TRY(host_result(::readlinkat(fd_.get(), "", target, sizeof target)));
    return std::string(target, static_cast<size_t>(length));
  }

  Result<UniqueFd> open(const Caller&, int flags) override {
    if (flags & O_PATH) return open_path_only();
    if (S_ISSOCK(type())) return err(ENXIO);
    if (origin_ == ObjectOrigin::kPassedIn) TRY(check_access_mode(flags));
    // A FIFO without its other end must not hold the engine's thread: the Vfs asks for it non-blocking.
    return UniqueFd(TRY(host_result(::open(host_path().c_str(), flags | O_CLOEXEC | O_NOCTTY))));
  }

  Result<UniqueFd> host_object() override { return duplicate(); }

  Result<std::string> getxattr(const std::string& name) override {
    std::string value(kMaximumXattrSize, '\0');
    auto size = TRY(host_result(::getxattr(host_path().c_str(), name.c_str(), value.data(), value.size())));
    value.resize(static_cast<size_t>(size));
    return value;
  }
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override {
    TRY(check_changeable());
    return host_status(::setxattr(host_path().c_str(), name.c_str(), value.data(), value.size(), flags));
  }
  Result<void> removexattr(const std::string& name) override {
    TRY(check_changeable());
    return host_status(::removexattr(host_path().c_str(), name.c_str()));
  }

 private:
  static constexpr size_t kMaximumXattrSize = 65536;

  std::string host_path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }
  // A duplicate would read and write.
  Result<UniqueFd> open_path_only() {
    const bool is_path_only = TRY(host_result(::fcntl(fd_.get(), F_GETFL))) & O_PATH;
    if (is_path_only) return duplicate();
    return UniqueFd(TRY(host_result(::open(host_path().c_str(), O_PATH | O_CLOEXEC))));
  }
  Result<UniqueFd> duplicate() { return UniqueFd(TRY(host_result(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3)))); }

  // A file that was opened outside belongs to the host: its data may be used as far as it was opened,
  // its attributes are not the sandbox's to change.
  Result<void> check_changeable() {
    // A device is the host's own node, whoever opened it.
    if (type() == S_IFCHR || type() == S_IFBLK) return err(EPERM);
    if (origin_ == ObjectOrigin::kPassedIn && (type() == S_IFREG || type() == S_IFDIR)) return err(EPERM);
    return {};
  }
  Result<void> check_access_mode(int wanted) {
    int had = TRY(host_result(::fcntl(fd_.get(), F_GETFL)));
    bool reads = (wanted & O_ACCMODE) != O_WRONLY;
    bool writes = (wanted & O_ACCMODE) != O_RDONLY || (wanted & O_TRUNC);
    if ((reads && (had & O_ACCMODE) == O_WRONLY) || (writes && (had & O_ACCMODE) == O_RDONLY))
      return err(EACCES);
    if ((had & O_APPEND) && writes && !(wanted & O_APPEND)) return err(EACCES);
    return {};
  }

  UniqueFd fd_;
  const ObjectOrigin origin_;
  const IdMap& uid_map_;
  const IdMap& gid_map_;
  const ObjectOwners* const owners_;
};

class MountpointNode : public Inode {
 public:
  MountpointNode(Filesystem& filesystem, mode_t type, uint64_t number)
      : Inode(filesystem, type), number_(number) {}

  Result<Attributes> getattr() override {
    Attributes attributes{};
    attributes.stx_mask = STATX_BASIC_STATS;
    attributes.stx_mode = static_cast<uint16_t>(type() | (is_directory() ? 0755 : 0444));
    attributes.stx_nlink = is_directory() ? 2 : 1;
    attributes.stx_ino = number_;
    attributes.stx_blksize = 4096;
    return attributes;
  }
  Result<InodePtr> lookup(std::string_view) override { return err(is_directory() ? ENOENT : ENOTDIR); }
  Result<InodePtr> create(std::string_view, const NewNode&) override { return err(EROFS); }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override { return std::vector<DirectoryEntry>{}; }

 private:
  const uint64_t number_;
};

}  // namespace

std::shared_ptr<Filesystem> create_anonymous_filesystem() { return std::make_shared<AnonymousFilesystem>(); }

InodePtr create_open_object(Filesystem& filesystem, UniqueFd fd, mode_t type, ObjectOrigin origin,
                            const IdMap& uid_map, const IdMap& gid_map, const ObjectOwners* owners) {
  return std::make_shared<OpenObject>(filesystem, std::move(fd), type, origin, uid_map, gid_map, owners);
}

InodePtr create_mountpoint_node(Filesystem& filesystem, mode_t type, uint64_t inode_number) {
  return std::make_shared<MountpointNode>(filesystem, type, inode_number);
}

}  // namespace sandbox::vfs
