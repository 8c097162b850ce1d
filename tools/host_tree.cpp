// Host trees: the kernel walks each path, and refuses links and ways out.
#include "tools/host_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

namespace sandbox::tools {

Result<UniqueFd> open_beneath(int root, const std::string& path, int flags) {
  open_how how{.flags = static_cast<uint64_t>(flags | O_CLOEXEC),
               .mode = 0,
               .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  const char* name = path.empty() ? "." : path.c_str();
  long fd = TRY(host_result(::syscall(SYS_openat2, root, name, &how, sizeof how)));
  return UniqueFd(static_cast<int>(fd));
}

Result<struct stat> stat_name(int directory, const std::string& name) {
  struct stat status;
  TRY(host_status(::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW)));
  return status;
}

Result<std::vector<std::string>> list_names(int directory) {
  UniqueFd own_position(TRY(host_result(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  DIR* stream = ::fdopendir(own_position.get());
  if (stream == nullptr) return last_error();
  (void)own_position.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  Errno error = Errno::last();
  ::closedir(stream);
  if (error.value() != 0) return std::unexpected(error);
  std::ranges::sort(names);
  return names;
}

Result<ExtendedAttributes> extended_attributes(int directory, const std::string& name) {
  std::string path = proc_path(directory, name);
  std::string names(65536, '\0');  // XATTR_LIST_MAX
  ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0 && errno == ENOTSUP) return ExtendedAttributes{};
  if (length < 0) return last_error();
  names.resize(static_cast<size_t>(length));
  ExtendedAttributes attributes;
  std::string value(65536, '\0');  // XATTR_SIZE_MAX
  for (size_t start = 0; start < names.size(); start = names.find('\0', start) + 1) {
    const char* attribute = names.c_str() + start;
    ssize_t size = ::lgetxattr(path.c_str(), attribute, value.data(), value.size());
    if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) continue;
    if (size < 0) return last_error();
    attributes[attribute] = value.substr(0, static_cast<size_t>(size));
  }
  return attributes;
}

std::string proc_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }
std::string proc_path(int directory, const std::string& name) {
  return fmt::format("/proc/self/fd/{}/{}", directory, name);
}

SplitPath split_path(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {.parent = "", .name = path};
  return {.parent = path.substr(0, slash), .name = path.substr(slash + 1)};
}

}  // namespace sandbox::tools
