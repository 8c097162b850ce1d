// SyntheticFilesystem: a file system whose nodes are made up by the sandbox (proc, sysfs, /dev).
#pragma once

#include <time.h>

#include "vfs/core/filesystem.h"

namespace sandbox::vfs {

class SyntheticFilesystem : public Filesystem {
 public:
  static constexpr uint64_t kRootInode = 1;

  // `magic`: statfs's f_type (linux/magic.h); `source` and `options`: as mountinfo prints them.
  SyntheticFilesystem(std::string type, CachePolicy policy, long magic, std::string source,
                      std::string options);

  // The inode number of `name` in the directory `parent`: the same one whenever it is looked up.
  static uint64_t inode_of(uint64_t parent, std::string_view name);

  InodePtr root() override { return root_; }
  Result<struct statfs> statfs() override;
  dev_t device() override { return device_; }
  std::string source() override { return source_; }
  std::string options() override { return options_; }

  // Once, before anybody walks here.
  void set_root(InodePtr root) { root_ = std::move(root); }
  // What creating a node of type and mode `mode` in one of its directories fails with: what Linux says of a
  // directory without such an operation.
  int creation_error(mode_t mode) const;
  // When it was made: the times of nodes that have none of their own.
  const timespec& birth() const { return birth_; }
  uint32_t block_size() const { return 4096; }

 private:
  const long magic_;
  const std::string source_;
  const std::string options_;
  dev_t device_;
  timespec birth_;
  InodePtr root_;
};

}  // namespace sandbox::vfs
