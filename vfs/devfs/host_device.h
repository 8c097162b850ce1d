// HostDevice: a device of the host, pinned once and handed out as the real thing.
#pragma once

#include "sandbox/kernel_view.h"
#include "vfs/core/inode.h"

namespace sandbox::vfs {

// Opens anew the object behind `path_fd` (an O_PATH descriptor), through `host_proc`, without ever waiting
// for it: a serial line would hold the engine's thread until its carrier comes. Errors: those of open(2).
Result<UniqueFd> reopen(int host_proc, int path_fd, int flags);
// What of open's flags a device is opened with; never as a controlling terminal unless asked to.
int device_open_flags(int flags);

class HostDevice : public Inode {
 public:
  // Pins `name` in `directory`. Errors: ENOENT, ENODEV (not a character device, or not `expected`; 0: any).
  static Result<InodePtr> create(Filesystem& filesystem, KernelView& kernel, int directory,
                                 const std::string& name, dev_t expected);
  HostDevice(Filesystem& filesystem, KernelView& kernel, UniqueFd object, mode_t type = S_IFCHR)
      : Inode(filesystem, type), kernel_(kernel), object_(std::move(object)) {}

  // Ids are the workload's; Errors: ENOENT (the terminal is gone).
  Result<Attributes> getattr() override;
  Result<UniqueFd> open(const Caller& caller, int flags) override;
  Result<UniqueFd> host_object() override;

 protected:
  int object() const { return object_.get(); }
  KernelView& kernel() const { return kernel_; }

 private:
  KernelView& kernel_;
  const UniqueFd object_;
};

}  // namespace sandbox::vfs
