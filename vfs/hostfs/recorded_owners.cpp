// Which record an open object has follows from the file system that it is in.
#include "vfs/hostfs/recorded_owners.h"

#include <linux/magic.h>
#include <sys/vfs.h>

namespace sandbox::vfs {
namespace {

bool is_on_tmpfs(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

}  // namespace

void RecordedOwners::show(int fd, Attributes& attributes) const {
  const mode_t type = attributes.stx_mode & S_IFMT;
  // Sockets and terminals have none.
  if (type != S_IFREG && type != S_IFLNK && type != S_IFIFO) return disk_.translate(attributes);
  const bool is_ours = is_on_tmpfs(fd) && host_read_record({fd, ""}, kMemoryOwnerRecordXattr);
  (is_ours ? memory_ : disk_).show({fd, ""}, attributes);
}

Result<void> RecordedOwners::change(int fd, const AttributeChange& change) const {
  if (!is_on_tmpfs(fd)) return host_change({fd, ""}, change, disk_);
  auto changed = host_change({fd, ""}, change, memory_);
  if (changed || changed.error() != Errno(EPERM)) return changed;
  return host_change({fd, ""}, change,
                     disk_);  // the host's own tmpfs takes no attribute of that kind from us
}

}  // namespace sandbox::vfs
