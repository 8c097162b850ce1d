// RecordedOwners: owners of open objects out of the records that files of a sandbox have.
#pragma once

#include "vfs/core/open_object.h"
#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {

// An object may be in memory of ours, in the host's, or on a disk, and has its record accordingly.
class RecordedOwners final : public ObjectOwners {
 public:
  // `maps` are those of disks.
  explicit RecordedOwners(const OwnerMaps& maps) : disk_(maps), memory_(maps) {
    memory_.record = kMemoryOwnerRecordXattr;
  }

  void show(int fd, Attributes& attributes) const override;
  Result<void> change(int fd, const AttributeChange& change) const override;

 private:
  OwnerMaps disk_, memory_;
};

}  // namespace sandbox::vfs
