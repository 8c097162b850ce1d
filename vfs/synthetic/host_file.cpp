// Host reads confined to one directory.
#include "vfs/synthetic/host_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <array>
#include <memory>
#include <string_view>

namespace sandbox::vfs {

Result<UniqueFd> open_host_file(int directory_fd, const std::string& path, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: a rename somewhere raced the walk of ".."; there is none in these paths, yet the kernel may say
  // so.
  for (;;) {
    long fd = ::syscall(SYS_openat2, directory_fd, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EINTR && errno != EAGAIN) return last_error();
  }
}

Result<std::string> read_host_file(int directory_fd, const std::string& path) {
  UniqueFd file = TRY(open_host_file(directory_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
  std::string content;
  // Big enough for most files of /proc at one read, which keeps their lines of one moment.
  std::array<char, 16384> chunk;
  for (;;) {
    ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count == 0) return content;
    if (count > 0) {
      content.append(chunk.data(), static_cast<size_t>(count));
    } else if (errno != EINTR) {
      return last_error();
    }
  }
}

Result<std::vector<std::string>> list_host_directory(int directory_fd, const std::string& path) {
  UniqueFd directory = TRY(open_host_file(directory_fd, path, O_RDONLY | O_DIRECTORY));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), ::closedir);
  if (!stream) return last_error();
  (void)directory.release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return last_error();
  return names;
}

Result<std::string> read_host_link(int directory_fd, const std::string& path) {
  // Its directory is walked without links; only the link itself is read, not followed.
  size_t slash = path.rfind('/');
  std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  UniqueFd directory = TRY(open_host_file(directory_fd, parent, O_PATH | O_DIRECTORY));
  std::array<char, PATH_MAX> target;
  ssize_t length = ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
  if (length < 0) return last_error();
  return std::string(target.data(), static_cast<size_t>(length));
}

}  // namespace sandbox::vfs
