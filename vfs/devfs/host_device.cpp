// Pinning and opening host devices.
#include "vfs/devfs/host_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

namespace sandbox::vfs {

Result<UniqueFd> reopen(int host_proc, int path_fd, int flags) {
  // The link of our own descriptor: it names the object itself, whatever its path means by now.
  std::string path = fmt::format("self/fd/{}", path_fd);
  UniqueFd opened;
  while (!opened) {
    opened.reset(::openat(host_proc, path.c_str(), (flags & ~O_NOFOLLOW) | O_CLOEXEC | O_NONBLOCK));
    if (!opened && errno != EINTR) return last_error();
  }
  // The description is new, so nobody else sees the flag change.
  if (!(flags & (O_NONBLOCK | O_PATH))) TRY(host_status(::fcntl(opened.get(), F_SETFL, flags & ~O_NONBLOCK)));
  return opened;
}

int device_open_flags(int flags) {
  constexpr int kMeaningful = O_ACCMODE | O_NONBLOCK | O_APPEND | O_PATH;
  // The sentry opens: it must not gain a controlling terminal by it.
  return (flags & kMeaningful) | O_NOCTTY;
}

Result<InodePtr> HostDevice::create(Filesystem& filesystem, KernelView& kernel, int directory,
                                    const std::string& name, dev_t expected) {
  UniqueFd object(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!object) return last_error();
  struct stat status;
  TRY(host_status(::fstat(object.get(), &status)));
  if (!S_ISCHR(status.st_mode) || (expected != 0 && status.st_rdev != expected)) return err(ENODEV);
  return std::make_shared<HostDevice>(filesystem, kernel, std::move(object));
}

Result<Attributes> HostDevice::getattr() {
  Attributes attributes = {};
  TRY(host_status(::statx(object_.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &attributes)));
  attributes.stx_uid = kernel_.uid_map().to_inside(attributes.stx_uid);
  attributes.stx_gid = kernel_.gid_map().to_inside(attributes.stx_gid);
  return attributes;
}

Result<UniqueFd> HostDevice::open(const Caller&, int flags) {
  return reopen(kernel_.host_proc(), object_.get(), device_open_flags(flags));
}

Result<UniqueFd> HostDevice::host_object() {
  return UniqueFd(TRY(host_result(::fcntl(object_.get(), F_DUPFD_CLOEXEC, 0))));
}

}  // namespace sandbox::vfs
