// Numbers of a made-up file system: device, inodes, statfs.
#include "vfs/synthetic/synthetic_filesystem.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <atomic>

namespace sandbox::vfs {
namespace {

// The kernel numbers its anonymous devices from 0:1 upwards and recycles them, so it stays far below this.
constexpr unsigned kFirstMinor = 0x80000;
std::atomic<unsigned> next_minor{kFirstMinor};

}  // namespace

SyntheticFilesystem::SyntheticFilesystem(std::string type, CachePolicy policy, long magic, std::string source,
                                         std::string options)
    : Filesystem(std::move(type), policy),
      magic_(magic),
      source_(std::move(source)),
      options_(std::move(options)),
      device_(makedev(0, next_minor.fetch_add(1, std::memory_order_relaxed))) {
  ::clock_gettime(CLOCK_REALTIME, &birth_);
}

uint64_t SyntheticFilesystem::inode_of(uint64_t parent, std::string_view name) {
  // FNV-1a, then cut to 48 bits: programs print inode numbers in columns.
  uint64_t hash = 0xcbf29ce484222325u ^ parent * 0x9e3779b97f4a7c15u;
  for (unsigned char byte : name) hash = (hash ^ byte) * 0x100000001b3u;
  hash = (hash ^ hash >> 29) & 0xffffffffffffu;
  return hash > kRootInode ? hash : hash + 2;
}

int SyntheticFilesystem::creation_error(mode_t mode) const {
  if (!holds_missing_names()) return ENOENT;
  return S_ISREG(mode) ? EACCES : EPERM;
}

Result<struct statfs> SyntheticFilesystem::statfs() {
  struct statfs numbers = {};
  numbers.f_type = magic_;
  numbers.f_bsize = block_size();
  numbers.f_frsize = block_size();
  numbers.f_namelen = 255;
  return numbers;
}

}  // namespace sandbox::vfs
