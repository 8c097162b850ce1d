// A file system in memory and a Vfs on it, for tests of vfs/core that need no host tree.
#pragma once

#include <map>

#include "vfs/core/vfs.h"

namespace sandbox::vfs::test {

class MemoryInode : public Inode {
 public:
  MemoryInode(Filesystem& filesystem, const NewNode& node);

  Result<Attributes> getattr() override;
  Result<void> setattr(const AttributeChange& change) override;
  Result<InodePtr> lookup(std::string_view name) override;
  Result<InodePtr> create(std::string_view name, const NewNode& node) override;
  Result<void> link(std::string_view name, const InodePtr& target) override;
  Result<void> unlink(std::string_view name, const InodePtr& child) override;
  Result<void> rmdir(std::string_view name, const InodePtr& child) override;
  Result<void> rename(std::string_view old_name, const InodePtr& moved, const InodePtr& new_directory,
                      std::string_view new_name, const InodePtr& replaced, unsigned flags) override;
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override;
  Result<std::string> readlink(const Caller& caller) override;
  bool is_generated() const override { return is_regular(); }
  Result<std::string> generate(const Caller* caller) override;

  std::string content;

 private:
  NewNode node_;
  uint64_t number_;
  std::map<std::string, std::shared_ptr<MemoryInode>, std::less<>> children_;
};

class MemoryFilesystem : public Filesystem {
 public:
  explicit MemoryFilesystem(CachePolicy policy = CachePolicy::kTrust);
  InodePtr root() override { return root_; }
  Result<struct statfs> statfs() override;
  dev_t device() override { return 42; }

 private:
  InodePtr root_;
};

// A Vfs with a MemoryFilesystem at "/" and a privileged and an ordinary caller.
class Fixture {
 public:
  Fixture();
  ~Fixture();

  std::unique_ptr<Vfs> vfs;
  Credentials root_credentials, user_credentials;
  Caller root() { return {vfs->root(), vfs->root(), root_credentials, 022, 0}; }
  Caller user() { return {vfs->root(), vfs->root(), user_credentials, 022, 0}; }
  void make_directory(const std::string& path, mode_t mode = 0755);
  void make_file(const std::string& path, mode_t mode = 0644);
  void make_link(const std::string& target, const std::string& path);
  // 0 or the errno of a stat that follows links.
  int stat_error(const Caller& caller, const std::string& path, const WalkOptions& options = {});
  std::vector<std::string> names(int directory_fd);
  HostMounter& mounter() { return *mounter_; }

 private:
  std::string scratch_;
  std::unique_ptr<HostMounter> mounter_;
};

}  // namespace sandbox::vfs::test
