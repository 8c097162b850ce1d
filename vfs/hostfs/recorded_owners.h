// RecordedOwners: owners of open objects out of the records that files of a sandbox have.
#pragma once

#include "vfs/core/open_object.h"
#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {

// An object may be in memory of ours or on a disk, and has its record accordingly.
class RecordedOwners final : public ObjectOwners {
 public:
  RecordedOwners(IdMap users, IdMap groups) : users_(std::move(users)), groups_(std::move(groups)) {}

  void show(int fd, Attributes& attributes) const override;
  Result<void> change(int fd, const AttributeChange& change) const override;

 private:
  OwnerMaps maps_for(int fd) const;

  const IdMap users_, groups_;
};

}  // namespace sandbox::vfs
