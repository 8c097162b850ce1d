// The nodes made-up file systems are built of: fixed directories, generated files, symbolic links.
#pragma once

#include <functional>
#include <map>

#include "vfs/core/inode.h"
#include "vfs/synthetic/synthetic_filesystem.h"

namespace sandbox::vfs {

// What every made-up node has: a number, permissions, an owner, and times.
class SyntheticNode : public Inode {
 public:
  // `mode` carries the type and the permission bits.
  SyntheticNode(SyntheticFilesystem& filesystem, uint64_t inode, mode_t mode);

  // Errors: those of owner().
  Result<Attributes> getattr() final;
  // Never remembered: the owner of a /proc directory changes with the task's ids.
  Result<Attributes> permission_attributes(uint64_t) final { return getattr(); }
  Result<InodePtr> create(std::string_view name, const NewNode& node) final;
  uint64_t inode_number() const { return inode_; }
  mode_t permissions() const { return mode_ & 07777; }

 protected:
  struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
    timespec time{};
    std::optional<mode_t> permissions;  // when they are not those the node was made with
  };
  // Whose it is now, and its times; asked at each getattr. Default: root, the file system's birth.
  virtual Result<Owner> owner();
  virtual uint64_t size() { return 0; }
  virtual uint32_t link_count() { return is_directory() ? 2 : 1; }
  SyntheticFilesystem& synthetic() const;

 private:
  const uint64_t inode_;
  const mode_t mode_;
};

// A directory whose entries are fixed once it is built.
class FixedDirectory : public SyntheticNode {
 public:
  FixedDirectory(SyntheticFilesystem& filesystem, uint64_t inode, mode_t permissions = 0555);

  // Building only. Each makes the node under `name` with its derived inode number.
  void add(std::string name, InodePtr node);
  std::shared_ptr<FixedDirectory> add_directory(std::string_view name, mode_t permissions = 0555);
  // The directory at the end of "a/b/c", made where it is missing.
  FixedDirectory& directory_at(std::string_view path);
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }

  Result<InodePtr> lookup(std::string_view name) override;
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override;

 protected:
  uint32_t link_count() override { return 2 + subdirectories_; }

 private:
  std::map<std::string, InodePtr, std::less<>> entries_;
  uint32_t subdirectories_ = 0;
};

// A file whose text a function makes afresh at each open.
class GeneratedFile : public SyntheticNode {
 public:
  // `caller` is null when nobody in particular asks; access was then checked before.
  using Generator = std::function<Result<std::string>(const Caller* caller)>;
  GeneratedFile(SyntheticFilesystem& filesystem, uint64_t inode, mode_t permissions, Generator generator);

  bool is_generated() const override { return true; }
  Result<std::string> generate(const Caller* caller) override { return generator_(caller); }

 private:
  const Generator generator_;
};

// A link whose text a function makes at each readlink.
class GeneratedLink : public SyntheticNode {
 public:
  using Generator = std::function<Result<std::string>(const Caller& caller)>;
  GeneratedLink(SyntheticFilesystem& filesystem, uint64_t inode, Generator generator);
  // A link with a fixed target.
  GeneratedLink(SyntheticFilesystem& filesystem, uint64_t inode, std::string target);

  Result<std::string> readlink(const Caller& caller) override { return generator_(caller); }

 protected:
  uint64_t size() override { return size_; }

 private:
  const Generator generator_;
  const uint64_t size_;
};

// DT_* of a mode's type.
uint8_t directory_entry_type(mode_t mode);

}  // namespace sandbox::vfs
