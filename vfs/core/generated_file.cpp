// Generated files: private tmpfs files filled when opened and again whenever reading restarts at 0.
#include "vfs/core/generated_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/core/dentry.h"

namespace sandbox::vfs {

namespace {

Result<void> write_all(int file, std::string_view content) {
  size_t done = 0;
  while (done < content.size()) {
    ssize_t count = ::pwrite(file, content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    done += static_cast<size_t>(TRY(host_result(count)));
  }
  return {};
}

}  // namespace

GeneratedFiles::GeneratedFiles(UniqueFd directory) : directory_(std::move(directory)) {
  struct stat status;
  if (::fstat(directory_.get(), &status) == 0) device_ = status.st_dev;
}

Result<UniqueFd> GeneratedFiles::open(const Location& where, std::string_view content, int flags,
                                      mode_t permissions) {
  UniqueFd writer(
      TRY(host_result(::openat(directory_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, permissions & 0777))));
  TRY(write_all(writer.get(), content));
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

Result<std::string> GeneratedFiles::refill(int host_fd, ino_t inode,
                                           const std::function<Result<std::string>()>& make) {
  Refilled& file = refilled_[inode % kRefilled];
  std::lock_guard lock(file.lock);
  std::string content = TRY(make());
  bool is_known = file.inode == inode;
  // What the workload may have written itself goes away.
  bool is_read_only = (TRY(host_result(::fcntl(host_fd, F_GETFL))) & O_ACCMODE) == O_RDONLY;
  if (is_known && is_read_only && file.content == content) return content;
  if (!is_known) {
    std::string path = "/proc/self/fd/" + std::to_string(host_fd);
    file.inode = 0;
    file.writer = UniqueFd(TRY(host_result(::open(path.c_str(), O_WRONLY | O_CLOEXEC))));
  }
  // Writing before cutting: a reader at 0 sees whole lines of the old or the new text, never an empty file.
  TRY(write_all(file.writer.get(), content));
  if (!is_known || !is_read_only || file.content.size() != content.size())
    TRY(host_status(::ftruncate(file.writer.get(), static_cast<off_t>(content.size()))));
  file.inode = inode;
  file.content = content;
  return content;
}

}  // namespace sandbox::vfs
