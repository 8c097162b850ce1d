// The tests' file system in memory.
#include "memory_filesystem.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

namespace sandbox::vfs::test {
namespace {

std::atomic<uint64_t> next_number{100};

// Plain directories stand in for the private mounts.
class ScratchMounter : public HostMounter {
 public:
  explicit ScratchMounter(std::string base) : base_(std::move(base)) {}
  Result<UniqueFd> new_tmpfs(const TmpfsOptions&) override {
    std::string path = base_ + "/" + std::to_string(next_++);
    TRY(host_status(::mkdir(path.c_str(), 0755)));
    return UniqueFd(TRY(host_result(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))));
  }
  Result<UniqueFd> clone_tree(int directory, const std::string& path, MountAccess, MountDevices) override {
    return UniqueFd(
        TRY(host_result(::openat(directory, path.empty() ? "." : path.c_str(), O_PATH | O_CLOEXEC))));
  }
  Result<UniqueFd> new_devpts() override { return err(EPERM); }

 private:
  std::string base_;
  int next_ = 0;
};

}  // namespace

MemoryInode::MemoryInode(Filesystem& filesystem, const NewNode& node)
    : Inode(filesystem, node.mode), node_(node), number_(next_number++) {}

Result<Attributes> MemoryInode::getattr() {
  Attributes attributes{};
  attributes.stx_mode = static_cast<uint16_t>(node_.mode);
  attributes.stx_uid = node_.uid;
  attributes.stx_gid = node_.gid;
  attributes.stx_ino = number_;
  attributes.stx_nlink = 1;
  return attributes;
}

Result<void> MemoryInode::setattr(const AttributeChange& change) {
  if (change.mode) node_.mode = type() | *change.mode;
  if (change.uid) node_.uid = *change.uid;
  if (change.gid) node_.gid = *change.gid;
  return {};
}

Result<InodePtr> MemoryInode::lookup(std::string_view name) {
  if (!is_directory()) return err(ENOTDIR);
  auto found = children_.find(name);
  if (found == children_.end()) return err(ENOENT);
  return found->second;
}

Result<InodePtr> MemoryInode::create(std::string_view name, const NewNode& node) {
  auto made = std::make_shared<MemoryInode>(filesystem(), node);
  children_[std::string(name)] = made;
  return made;
}

Result<void> MemoryInode::link(std::string_view name, const InodePtr& target) {
  children_[std::string(name)] = std::static_pointer_cast<MemoryInode>(target);
  return {};
}

Result<void> MemoryInode::unlink(std::string_view name, const InodePtr&) {
  children_.erase(children_.find(name));
  return {};
}

Result<void> MemoryInode::rmdir(std::string_view name, const InodePtr& child) {
  if (!static_cast<MemoryInode&>(*child).children_.empty()) return err(ENOTEMPTY);
  children_.erase(children_.find(name));
  return {};
}

Result<void> MemoryInode::rename(std::string_view old_name, const InodePtr& moved,
                                 const InodePtr& new_directory, std::string_view new_name,
                                 const InodePtr& replaced, unsigned flags) {
  auto& target = static_cast<MemoryInode&>(*new_directory);
  if (replaced && replaced->is_directory() && !(flags & RENAME_EXCHANGE) &&
      !static_cast<MemoryInode&>(*replaced).children_.empty())
    return err(ENOTEMPTY);
  children_.erase(children_.find(old_name));
  target.children_[std::string(new_name)] = std::static_pointer_cast<MemoryInode>(moved);
  if (flags & RENAME_EXCHANGE)
    children_[std::string(old_name)] = std::static_pointer_cast<MemoryInode>(replaced);
  return {};
}

Result<std::vector<DirectoryEntry>> MemoryInode::list(const Caller&) {
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : children_)
    entries.push_back({name, child->number_, static_cast<uint8_t>(child->type() >> 12)});
  return entries;
}

Result<std::string> MemoryInode::readlink(const Caller&) {
  if (!is_symlink()) return err(EINVAL);
  return node_.symlink_target;
}

Result<std::string> MemoryInode::generate(const Caller*) { return content; }

MemoryFilesystem::MemoryFilesystem(CachePolicy policy) : Filesystem("memory", policy) {
  root_ = std::make_shared<MemoryInode>(*this, NewNode{.mode = S_IFDIR | 0755});
}

Result<struct statfs> MemoryFilesystem::statfs() { return (struct statfs){}; }

Fixture::Fixture() {
  char scratch[] = "/tmp/vfs-core-XXXXXX";
  scratch_ = ::mkdtemp(scratch);
  mounter_ = std::make_unique<ScratchMounter>(scratch_);
  vfs = std::move(*Vfs::create(*mounter_, IdMap::identity(), IdMap::identity()));
  vfs->set_root(std::make_shared<MemoryFilesystem>(), {});
  root_credentials.effective_caps = ~uint64_t{0};
  user_credentials.uid = user_credentials.euid = user_credentials.fsuid = 1000;
  user_credentials.gid = user_credentials.egid = user_credentials.fsgid = 1000;
}

Fixture::~Fixture() {
  vfs.reset();
  std::filesystem::remove_all(scratch_);
}

void Fixture::make_directory(const std::string& path, mode_t mode) {
  Caller maker = root();
  maker.umask = 0;
  if (!vfs->mkdir(maker, vfs->root(), path, mode)) abort();
}

void Fixture::make_file(const std::string& path, mode_t mode) {
  Caller maker = root();
  maker.umask = 0;
  if (!vfs->mknod(maker, vfs->root(), path, S_IFREG | mode, 0)) abort();
}

void Fixture::make_link(const std::string& target, const std::string& path) {
  if (!vfs->symlink(root(), target, vfs->root(), path)) abort();
}

int Fixture::stat_error(const Caller& caller, const std::string& path, const WalkOptions& options) {
  auto result = vfs->stat(caller, caller.cwd, path, options);
  return result ? 0 : result.error().value();
}

std::vector<std::string> Fixture::names(int directory_fd) {
  std::vector<std::string> names;
  auto status = vfs->read_directory(root(), directory_fd, [&](const ListedEntry& listed) {
    names.push_back(listed.entry.name);
    return true;
  });
  if (!status) names.push_back(std::string(status.error().name()));
  return names;
}

}  // namespace sandbox::vfs::test
