// Which record an open object has follows from the file system that it is in.
#include "vfs/hostfs/recorded_owners.h"

#include <linux/magic.h>
#include <sys/vfs.h>

namespace sandbox::vfs {

OwnerMaps RecordedOwners::maps_for(int fd) const {
  struct statfs status;
  const bool is_in_memory = fstatfs(fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
  return {users_, groups_, is_in_memory ? kMemoryOwnerRecordXattr : kOwnerRecordXattr};
}

void RecordedOwners::show(int fd, Attributes& attributes) const {
  OwnerMaps maps = maps_for(fd);
  // Pipes, sockets and terminals have none.
  if (!S_ISREG(attributes.stx_mode) && !S_ISLNK(attributes.stx_mode)) maps.record = nullptr;
  maps.show({fd, ""}, attributes);
}

Result<void> RecordedOwners::change(int fd, const AttributeChange& change) const {
  return host_change({fd, ""}, change, maps_for(fd));
}

}  // namespace sandbox::vfs
