// HostInode: a node of hostfs; attributes are read from the host each time, as the workload changes them
// natively.
#pragma once

#include "vfs/core/inode.h"
#include "vfs/hostfs/host_directory.h"
#include "vfs/hostfs/hostfs.h"

namespace sandbox::vfs {

class HostFs final : public Filesystem {
 public:
  HostFs(HostFsOptions options, HostDirectoryPtr root, std::string type);

  InodePtr root() override;
  Result<struct statfs> statfs() override;
  bool is_in_memory() override;
  dev_t device() override { return root_->identity().device; }
  std::string source() override { return source_.empty() ? type() : source_; }
  std::string options() override { return options_; }
  std::optional<std::string> path_of_descriptor(int fd) override;

  const OwnerMaps& owners() const { return owners_; }
  HostDevices devices() const { return devices_; }
  HostChanges changes() const {
    return cache_policy() == CachePolicy::kTrust ? HostChanges::kOnlyOurs : HostChanges::kByOthers;
  }

 private:
  const HostDirectoryPtr root_;
  const std::string source_, options_;
  const OwnerMaps owners_;
  const HostDevices devices_;
  std::weak_ptr<Inode> root_inode_;
  std::mutex root_lock_;
};

class HostInode : public Inode {
 public:
  Result<Attributes> getattr() override;
  Result<void> setattr(const AttributeChange& change) override;
  Result<UniqueFd> host_object() override;
  Result<std::string> getxattr(const std::string& name) override;
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override;
  Result<std::vector<std::string>> listxattr() override;
  Result<void> removexattr(const std::string& name) override;

  const HostIdentity& identity() const { return identity_; }

 protected:
  HostInode(HostFs& filesystem, const HostIdentity& identity)
      : Inode(filesystem, identity.type), identity_(identity) {}
  HostFs& host_filesystem() const { return static_cast<HostFs&>(filesystem()); }

  // Errors: those of HostDirectory::pin.
  virtual Result<PinnedName> place() = 0;

 private:
  // Errors: ESTALE.
  Result<Attributes> checked(const Attributes& attributes) const;
  bool is_hidden_xattr(const std::string& name) const;

  const HostIdentity identity_;
};

class HostDirectoryInode final : public HostInode {
 public:
  HostDirectoryInode(HostFs& filesystem, HostDirectoryPtr directory)
      : HostInode(filesystem, directory->identity()), directory_(std::move(directory)) {}

  Result<uint64_t> number() override { return identity().inode; }
  Result<InodePtr> lookup(std::string_view name) override;
  bool is_current(std::string_view name, const InodePtr& child) override;
  Result<InodePtr> create(std::string_view name, const NewNode& node) override;
  Result<void> link(std::string_view name, const InodePtr& target) override;
  Result<void> unlink(std::string_view name, const InodePtr& child) override;
  Result<void> rmdir(std::string_view name, const InodePtr& child) override;
  Result<void> rename(std::string_view old_name, const InodePtr& moved, const InodePtr& new_directory,
                      std::string_view new_name, const InodePtr& replaced, unsigned flags) override;
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override;
  Result<UniqueFd> open_unnamed(const Caller& caller, int flags, const NewNode& node) override;
  Result<void> link_unnamed(std::string_view name, int object) override;
  Result<UniqueFd> writable_host_directory() override;

 private:
  Result<PinnedName> place() override { return PinnedName{TRY(directory_->pin()), ""}; }
  InodePtr node_for(std::string_view name, const Attributes& attributes);

  const HostDirectoryPtr directory_;
};

// Everything but directories: a name in a directory. What has the name is what is meant, provided that
// its type is the one looked up: a file replaced by rename on the host is simply the new file.
class HostFileInode final : public HostInode {
 public:
  HostFileInode(HostFs& filesystem, HostDirectoryPtr directory, std::string name,
                const HostIdentity& identity)
      : HostInode(filesystem, identity), directory_(std::move(directory)), name_(std::move(name)) {}

  Result<std::string> readlink(const Caller& caller) override;
  Result<UniqueFd> open(const Caller& caller, int flags) override;

 private:
  friend class HostDirectoryInode;
  Result<PinnedName> place() override { return PinnedName{TRY(directory_->pin()), name_.c_str()}; }

  const HostDirectoryPtr directory_;
  const std::string name_;  // "": the root of a bind of one file, open as directory_
  // Created by us and not opened since: the first open is that of open(O_CREAT).
  std::atomic<bool> is_just_created_{false};
};

}  // namespace sandbox::vfs
