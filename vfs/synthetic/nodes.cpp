// Attributes and look-up of made-up nodes.
#include "vfs/synthetic/nodes.h"

#include <dirent.h>
#include <sys/sysmacros.h>

#include "sandbox/check.h"

namespace sandbox::vfs {

uint8_t directory_entry_type(mode_t mode) { return static_cast<uint8_t>(IFTODT(mode)); }

SyntheticNode::SyntheticNode(SyntheticFilesystem& filesystem, uint64_t inode, mode_t mode)
    : Inode(filesystem, mode), inode_(inode), mode_(mode) {}

SyntheticFilesystem& SyntheticNode::synthetic() const {
  return static_cast<SyntheticFilesystem&>(filesystem());
}

Result<SyntheticNode::Owner> SyntheticNode::owner() { return Owner{0, 0, synthetic().birth(), std::nullopt}; }

Result<Attributes> SyntheticNode::getattr() {
  Owner owner_now = TRY(owner());
  Attributes attributes = {};
  attributes.stx_mask = STATX_BASIC_STATS;
  attributes.stx_blksize = synthetic().block_size();
  attributes.stx_nlink = link_count();
  attributes.stx_uid = owner_now.uid;
  attributes.stx_gid = owner_now.gid;
  attributes.stx_mode = static_cast<uint16_t>(type() | owner_now.permissions.value_or(permissions()));
  attributes.stx_ino = inode_;
  attributes.stx_size = size();
  attributes.stx_atime.tv_sec = owner_now.time.tv_sec;
  attributes.stx_atime.tv_nsec = static_cast<uint32_t>(owner_now.time.tv_nsec);
  attributes.stx_mtime = attributes.stx_atime;
  attributes.stx_ctime = attributes.stx_atime;
  attributes.stx_dev_major = major(synthetic().device());
  attributes.stx_dev_minor = minor(synthetic().device());
  return attributes;
}

Result<InodePtr> SyntheticNode::create(std::string_view, const NewNode& node) {
  return err(is_directory() ? synthetic().creation_error(node.mode) : ENOTDIR);
}

FixedDirectory::FixedDirectory(SyntheticFilesystem& filesystem, uint64_t inode, mode_t permissions)
    : SyntheticNode(filesystem, inode, S_IFDIR | permissions) {}

void FixedDirectory::add(std::string name, InodePtr node) {
  if (node->is_directory()) ++subdirectories_;
  bool is_new = entries_.emplace(std::move(name), std::move(node)).second;
  SANDBOX_CHECK(is_new, "two nodes of a made-up directory have one name");
}

std::shared_ptr<FixedDirectory> FixedDirectory::add_directory(std::string_view name, mode_t permissions) {
  auto directory = std::make_shared<FixedDirectory>(synthetic(), inode_for(name), permissions);
  add(std::string(name), directory);
  return directory;
}

FixedDirectory& FixedDirectory::directory_at(std::string_view path) {
  FixedDirectory* directory = this;
  while (!path.empty()) {
    std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    auto found = directory->entries_.find(name);
    if (found == directory->entries_.end()) {
      directory = directory->add_directory(name).get();
    } else {
      directory = dynamic_cast<FixedDirectory*>(found->second.get());
      SANDBOX_CHECK(directory != nullptr, "a made-up file is used as a directory");
    }
  }
  return *directory;
}

Result<InodePtr> FixedDirectory::lookup(std::string_view name) {
  auto found = entries_.find(name);
  if (found == entries_.end()) return err(ENOENT);
  return found->second;
}

Result<std::vector<DirectoryEntry>> FixedDirectory::list(const Caller&) {
  std::vector<DirectoryEntry> entries;
  entries.reserve(entries_.size());
  for (const auto& [name, node] : entries_)
    entries.push_back({name, inode_for(name), directory_entry_type(node->type())});
  return entries;
}

GeneratedFile::GeneratedFile(SyntheticFilesystem& filesystem, uint64_t inode, mode_t permissions,
                             Generator generator)
    : SyntheticNode(filesystem, inode, S_IFREG | permissions), generator_(std::move(generator)) {}

GeneratedLink::GeneratedLink(SyntheticFilesystem& filesystem, uint64_t inode, Generator generator)
    : SyntheticNode(filesystem, inode, S_IFLNK | 0777), generator_(std::move(generator)), size_(0) {}

GeneratedLink::GeneratedLink(SyntheticFilesystem& filesystem, uint64_t inode, std::string target)
    : SyntheticNode(filesystem, inode, S_IFLNK | 0777),
      generator_([target](const Caller&) -> Result<std::string> { return target; }),
      size_(target.size()) {}

}  // namespace sandbox::vfs
