// Generated files: private tmpfs files filled when opened and again whenever reading restarts at 0.
#include "vfs/core/generated_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/core/dentry.h"

namespace sandbox::vfs {

GeneratedFiles::GeneratedFiles(UniqueFd directory) : directory_(std::move(directory)) {
  struct stat status;
  if (::fstat(directory_.get(), &status) == 0) device_ = status.st_dev;
}

Result<UniqueFd> GeneratedFiles::open(const Location& where, std::string_view content, int flags,
                                      mode_t permissions) {
  UniqueFd writer(
      TRY(host_result(::openat(directory_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, permissions & 0777))));
  TRY(replace_content(writer.get(), content));
  struct stat status;
  TRY(host_status(::fstat(writer.get(), &status)));
  {
    std::lock_guard lock(lock_);
    order_.push_front(status.st_ino);
    makers_[status.st_ino] = {where.mount, where.dentry};
    if (order_.size() > kMaximumRemembered) {
      makers_.erase(order_.back());
      order_.pop_back();
    }
  }
  // A second open gives the workload its own offset and only the access it asked for.
  std::string path = "/proc/self/fd/" + std::to_string(writer.get());
  int kept = flags & (O_ACCMODE | O_NONBLOCK | O_APPEND | O_PATH);
  return UniqueFd(TRY(host_result(::open(path.c_str(), kept | O_CLOEXEC))));
}

std::optional<Location> GeneratedFiles::location_of(dev_t device, ino_t inode) {
  if (device != device_) return std::nullopt;
  std::lock_guard lock(lock_);
  auto found = makers_.find(inode);
  if (found == makers_.end()) return std::nullopt;
  return Location{found->second.mount, found->second.dentry};
}

Result<void> GeneratedFiles::replace_content(int file, std::string_view content) {
  // Writing before cutting: a reader at 0 sees whole lines of the old or the new text, never an empty file.
  size_t done = 0;
  while (done < content.size()) {
    ssize_t count = ::pwrite(file, content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    done += static_cast<size_t>(TRY(host_result(count)));
  }
  return host_status(::ftruncate(file, static_cast<off_t>(content.size())));
}

}  // namespace sandbox::vfs
