// A group's file is printed anew by the kernel whenever it is read from its start.
#include "sentry/cgroup/live_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace sandbox::cgroup {

LiveFile::LiveFile(int directory, const char* name) {
  if (directory >= 0) fd_ = UniqueFd(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

Result<std::string_view> LiveFile::read(std::span<char> buffer) const {
  if (!fd_) return err(ENOENT);
  for (;;) {
    // One read is one moment: a second one would print the file again.
    ssize_t size = ::pread(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size >= 0) return std::string_view(buffer.data(), static_cast<size_t>(size));
    if (errno != EINTR) return last_error();
  }
}

}  // namespace sandbox::cgroup
