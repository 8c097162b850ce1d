// Vfs: the sandbox's file system as system calls see it: path walk, permissions, mounts, and one method a
// call family.
#pragma once

#include <functional>
#include <shared_mutex>
#include <span>
#include <unordered_map>

#include "sandbox/host_mounter.h"
#include "sandbox/id_map.h"
#include "vfs/core/dentry.h"
#include "vfs/core/device_rules.h"
#include "vfs/core/open_object.h"
#include "vfs/core/preparation.h"
#include "vfs/core/tree_lock.h"
#include "vfs/core/types.h"

namespace sandbox::vfs {

class DirectoryStubs;
class GeneratedFiles;

// openat2(2)'s resolve bits and what else shapes a walk.
struct WalkOptions {
  FollowLast follow = FollowLast::kYes;
  uint64_t resolve = 0;                                                          // RESOLVE_*
  enum class EmptyPath { kRefused, kAllowed } empty_path = EmptyPath::kRefused;  // AT_EMPTY_PATH
};

struct OpenRequest {
  int flags = 0;    // O_*; O_CLOEXEC is ignored here
  mode_t mode = 0;  // for O_CREAT and O_TMPFILE, before the umask
  uint64_t resolve = 0;
};

struct OpenedFile {
  UniqueFd fd;  // to be installed into the workload
  // A FIFO opened without O_NONBLOCK: `fd` is then an O_PATH descriptor, and the open is made by
  // open("/proc/self/fd/N", blocking_flags) on a thread that may wait.
  std::optional<int> blocking_flags;
};

struct OpenedProgram {
  UniqueFd fd;        // open for reading
  Location location;  // for /proc/PID/exe
};

// Where an AF_UNIX socket is to be made: bind() by `name` in `directory`, then Vfs::socket_was_bound.
struct SocketPlace {
  UniqueFd directory;
  std::string name;
  Location parent;
  NewNode node;  // mode and owner the socket file shall have
};

// Every public method takes the tree lock itself; none may be called with it held. All are safe from
// any thread. `base` is where a relative path starts (the caller's cwd for AT_FDCWD); a path of ""
// with EmptyPath::kAllowed names `base` itself, of any type (what locate() returned for a descriptor).
// Errors follow Linux's order: the walk's (ENOENT ENOTDIR EACCES ELOOP ENAMETOOLONG), then the call's. Every
// method that changes something may fail with kPrepareFirst (preparation.h).
class Vfs {
 public:
  // The maps go from the workload's ids to the sentry's, for objects that have no file system here.
  static Result<std::unique_ptr<Vfs>> create(HostMounter& mounter, IdMap uid_map, IdMap gid_map);
  ~Vfs();
  // For a process that is about to exit: what was cached of the tree stays. A tree of 100,000 names takes 0.1
  // s to free. Only the destructor may follow.
  void leave_names_to_exit();

  // ---- set-up, before the workload runs ----
  void set_root(std::shared_ptr<Filesystem> filesystem, MountFlags flags);
  Location root() const { return root_; }
  // Mounts on `path` (absolute), making missing parents as nodes that exist only in the VFS. A file
  // system whose root is a file lands on a file.
  Result<MountPtr> mount_at(std::string_view path, std::shared_ptr<Filesystem> filesystem, MountFlags flags,
                            std::string source);

  // Gives the mount at `path` other flags. Errors: EINVAL (nothing is mounted there), the walk's.
  Result<void> set_mount_flags(std::string_view path, MountFlags flags);
  // As mount(2) with MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, and MS_REC or not. Errors: EINVAL
  // (nothing is mounted there, or it is not one of these), the walk's.
  Result<void> set_propagation(std::string_view path, unsigned long flags);
  // Before anything is opened.
  void set_device_rules(DeviceRules rules) { device_rules_ = std::move(rules); }
  // Mounts what is at `path` once more onto itself, read-only. Errors: ENOENT and the walk's others.
  Result<void> make_read_only(std::string_view path);

  // A descriptor the caller of the sandbox hands in: the workload may use it, but not reopen it with
  // more access, nor change the attributes of the host file behind it.
  void note_passed_descriptor(int host_fd);
  // Whether some task executes the file with these attributes (ETXTBSY).
  void set_executing_check(std::function<bool(const Attributes&)> is_executing);
  // For objects that are not found by a name. Without it the maps count.
  void set_object_owners(std::unique_ptr<const ObjectOwners> owners) { object_owners_ = std::move(owners); }
  // Cuts what statfs tells of a file system in memory down to the memory that the workload may have.
  void set_memory_bound(std::function<void(struct statfs&)> bound);

  // ---- walking ----
  Result<Location> walk(const Caller&, const Location& base, std::string_view path, const WalkOptions&);
  // The path from the caller's root, as getcwd prints it ("(unreachable)/..." outside it). Errors: ENOENT
  // (deleted).
  Result<std::string> path_of(const Caller&, const Location& location);
  // The same, for readlink of /proc links: " (deleted)" appended, "(unreachable)" never shown, never fails.
  std::string display_path(const Location& root, const Location& location);
  // What a real descriptor of the workload refers to: a directory stub's directory, a generated file's
  // node, the named file it was opened from, or else a node that is just the open object.
  Result<Location> locate(const Caller&, UniqueFd host_fd);
  // Where the stub of a directory leads; nothing for any other descriptor. For `dirfd` arguments.
  std::optional<Location> directory_of(int host_fd);
  // The same for a generated file's descriptor too: descriptors whose own attributes mean nothing.
  std::optional<Location> location_of_private(int host_fd);

  // ---- queries ----
  Result<Attributes> stat(const Caller&, const Location& base, std::string_view path, const WalkOptions&);
  // fstat: what a real descriptor of the workload shows.
  Result<Attributes> stat_descriptor(const Caller&, int host_fd);
  // `mode`: F_OK or R_OK|W_OK|X_OK, tested with the caller's fs ids (for access(2) pass real ids as those).
  Result<void> access(const Caller&, const Location& base, std::string_view path, int mode,
                      const WalkOptions&);
  Result<std::string> readlink(const Caller&, const Location& base, std::string_view path,
                               const WalkOptions&);
  Result<struct statfs> statfs(const Caller&, const Location& base, std::string_view path,
                               const WalkOptions&);
  // A directory the caller may enter: for chdir and chroot. Errors: ENOTDIR, EACCES.
  Result<Location> enter_directory(const Caller&, const Location& base, std::string_view path,
                                   const WalkOptions&);

  // ---- opening ----
  Result<OpenedFile> open(const Caller&, const Location& base, std::string_view path, const OpenRequest&);
  // For execve: a regular file with x permission on a mount without noexec. Errors: EACCES, ETXTBSY.
  Result<OpenedProgram> open_program(const Caller&, const Location& base, std::string_view path,
                                     const WalkOptions&);
  // Entries of the directory behind the stub `host_fd`, from the descriptor's own offset on; `take` says
  // whether the entry fitted, and the offset moves past those that did. The offset that it started from.
  // Errors: ENOTDIR, EBADF (O_PATH), ENOENT (deleted).
  Result<off_t> read_directory(const Caller&, int host_fd,
                               const std::function<bool(const ListedEntry&)>& take);
  // Called before a read from offset 0: a generated file gets fresh content, which is returned. Nothing: the
  // file is not generated, or its process is gone, and what it holds is to be read.
  Result<std::optional<std::string>> refill(const Caller&, int host_fd);

  // ---- changing the tree ----
  Result<void> mkdir(const Caller&, const Location& base, std::string_view path, mode_t mode);
  Result<void> mknod(const Caller&, const Location& base, std::string_view path, mode_t mode, dev_t device);
  Result<void> symlink(const Caller&, std::string_view target, const Location& base, std::string_view path);
  // `old_options` follows the last component with AT_SYMLINK_FOLLOW; with an empty old path `old_object`
  // is the descriptor to link (else -1).
  Result<void> link(const Caller&, const Location& old_base, std::string_view old_path,
                    const WalkOptions& old_options, int old_object, const Location& new_base,
                    std::string_view new_path);
  Result<void> unlink(const Caller&, const Location& base, std::string_view path);
  Result<void> rmdir(const Caller&, const Location& base, std::string_view path);
  Result<void> rename(const Caller&, const Location& old_base, std::string_view old_path,
                      const Location& new_base, std::string_view new_path, unsigned flags);

  // ---- changing a node ----
  Result<void> chmod(const Caller&, const Location& base, std::string_view path, mode_t mode,
                     const WalkOptions&);
  // uid or gid -1: leave.
  Result<void> chown(const Caller&, const Location& base, std::string_view path, uid_t, gid_t,
                     const WalkOptions&);
  // nullopt: both now, needing only write permission. tv_nsec may be UTIME_NOW or UTIME_OMIT.
  Result<void> set_times(const Caller&, const Location& base, std::string_view path,
                         const std::optional<std::pair<timespec, timespec>>& times, const WalkOptions&);
  Result<void> truncate(const Caller&, const Location& base, std::string_view path, uint64_t size);
  Result<std::string> getxattr(const Caller&, const Location& base, std::string_view path,
                               const std::string& name, const WalkOptions&);
  Result<void> setxattr(const Caller&, const Location& base, std::string_view path, const std::string& name,
                        std::string_view value, int flags, const WalkOptions&);
  Result<std::vector<std::string>> listxattr(const Caller&, const Location& base, std::string_view path,
                                             const WalkOptions&);
  Result<void> removexattr(const Caller&, const Location& base, std::string_view path,
                           const std::string& name, const WalkOptions&);

  // ---- sockets, watches ----
  // Errors: EADDRINUSE (exists), and create's.
  Result<SocketPlace> prepare_socket(const Caller&, const Location& base, std::string_view path);
  Result<void> socket_was_bound(const Caller&, const SocketPlace& place);
  // O_PATH descriptor of a socket the caller may write to. Errors: ECONNREFUSED (not a socket), EACCES.
  Result<UniqueFd> connectable(const Caller&, const Location& base, std::string_view path);
  // O_PATH descriptor of the real object to watch with inotify.
  Result<UniqueFd> watchable(const Caller&, const Location& base, std::string_view path, const WalkOptions&);

  // ---- mounts made by the sandbox's own root ----
  // As mount(2); CAP_SYS_ADMIN is checked. bind, remount, propagation (accepted), or a type with a factory;
  // else ENODEV.
  Result<void> mount(const Caller&, const std::string& source, const std::string& target,
                     const std::string& type, unsigned long flags, const std::string& data);
  Result<void> umount(const Caller&, const std::string& target, int flags);
  // For /proc/PID/mountinfo: every mount reachable from `root`, parents first.
  struct MountLine {
    int id, parent_id;
    dev_t device;
    std::string root, mountpoint;  // before octal escapes
    MountFlags flags;
    std::string type, source, options;
    std::string propagation;  // "shared:1 master:2": the optional fields
  };
  std::vector<MountLine> mounts(const Location& root);
  // How mount(2) makes a file system of a type: set by the sentry, which knows procfs and friends.
  using FilesystemFactory =
      std::function<Result<std::shared_ptr<Filesystem>>(const std::string& source, const std::string& data)>;
  void set_factory(const std::string& type, FilesystemFactory factory);

  GeneratedFiles& generated_files() { return *generated_; }

  // Grows with every change of the name space or of a permission: whoever caches an answer outside
  // the VFS keeps the generation it was computed under.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  friend class Walk;
  struct Parent;  // the directory and last name that a creating or removing call walks to
  Vfs(IdMap uid_map, IdMap gid_map);

  Result<Location> walk_locked(const Caller&, const Location& base, std::string_view path,
                               const WalkOptions&);
  Result<Parent> walk_parent(const Caller&, const Location& base, std::string_view path,
                             uint64_t resolve = 0);
  // The (possibly negative) dentry of a name in a directory, mounts not crossed.
  Result<DentryPtr> child_of(const DentryPtr& directory, std::string_view name);
  // What is mounted on top of a location.
  Location top_mount_at(Location location) const;
  std::optional<Location> find_in_filesystem(const MountPtr& mount, std::string_view path);
  Result<Attributes> attributes_of(const Location& location);

  Result<OpenedFile> open_existing(const Caller&, const Location& location, int flags, bool was_created);
  Result<OpenedFile> open_creating(const Caller&, const Location& base, std::string_view path,
                                   const OpenRequest&);
  Result<OpenedFile> open_unnamed(const Caller&, const Location& directory, const OpenRequest&);
  Result<OpenedFile> open_directory(const Location& directory, int flags);
  Result<void> check_open(const Caller&, const Location& location, int flags);

  Result<NewNode> owned_by_caller(const Caller&, const Location& directory, mode_t mode);
  Result<void> check_create(const Caller&, const Parent& parent);
  Result<DentryPtr> create_at(const Parent& parent, const NewNode& node);
  Result<void> check_rename(const Caller&, const Parent& from, const Parent& to, const DentryPtr& moved,
                            const DentryPtr& replaced, unsigned flags);
  Result<void> make_whole(const Caller&, const DentryPtr& top);
  Result<void> apply(const Location& location, const AttributeChange& change);
  bool is_mountpoint(const DentryPtr& dentry) const;
  void changed() { generation_.fetch_add(1, std::memory_order_release); }

  MountPtr attach(std::shared_ptr<Filesystem>, DentryPtr root, const Location& where, MountFlags,
                  std::string source);
  // fs/pnode.c.
  Result<void> change_propagation(const Location& where, unsigned long flags);
  void leave_groups(Mount& mount);
  // Where else a mount appears, or goes, that does so at this place.
  std::vector<MountPtr> receivers_of(const Location& where) const;
  // Errors: ENOSPC (more mounts than fs.mount-max, were as many mounted at a place and its receivers).
  Result<void> check_room(size_t mounts, size_t receivers) const;
  void propagate_mount(const MountPtr& tree, const std::vector<MountPtr>& receivers);
  std::vector<MountPtr> propagated_copies(const Mount& mount) const;
  void copy_mounts_below(const MountPtr& original, const MountPtr& copy);
  void detach(const std::vector<MountPtr>& going);
  Result<Location> make_mountpoint(std::string_view path, mode_t type);
  Result<void> remount(const Location& where, unsigned long flags);
  Result<void> bind(const Caller&, const std::string& source, const Location& where, unsigned long flags);
  void release_tree(const Mount& gone);
  std::string path_string(const Location& root, const Location& location) const;
  void prune_if_large();

  mutable TreeLock tree_lock_;
  std::atomic<uint64_t> generation_{1};
  std::atomic<size_t> cached_dentries_{0};
  Location root_;
  int next_mount_id_ = 1, next_peer_group_ = 1;
  std::vector<MountPtr> mounts_;  // in mount order
  std::unordered_map<std::string, FilesystemFactory> factories_;
  std::function<bool(const Attributes&)> is_executing_;
  DeviceRules device_rules_;
  std::function<void(struct statfs&)> memory_bound_ = [](struct statfs&) {};
  IdMap uid_map_, gid_map_;
  std::unique_ptr<const ObjectOwners> object_owners_;
  std::shared_ptr<Filesystem> anonymous_;  // what descriptors without a name live in
  MountPtr anonymous_mount_;
  std::vector<std::pair<dev_t, ino_t>> passed_objects_;
  std::unique_ptr<DirectoryStubs> stubs_;
  std::unique_ptr<GeneratedFiles> generated_;
};

}  // namespace sandbox::vfs
