// Extended attributes of host objects, without following symbolic links.
#include <linux/xattr.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {
namespace {

// Linux 6.13; not in Debian 12's headers.
constexpr long kSetxattrat = 463, kGetxattrat = 464, kListxattrat = 465, kRemovexattrat = 466;
struct XattrArguments {
  uint64_t value;
  uint32_t size, flags;
};
static_assert(sizeof(XattrArguments) == 16);

// Asked once with arguments that every kernel with the call refuses; a container's filter may say EPERM.
bool has_xattrat() {
  static const bool has = [] {
    XattrArguments arguments{};
    syscall(kGetxattrat, -1, "", AT_EMPTY_PATH, "user.probe", &arguments, sizeof arguments);
    return errno == EBADF;
  }();
  return has;
}

// Makes the call by name, or (older kernels) through /proc, which follows nothing beyond the descriptor.
// The calls by name refuse O_PATH descriptors with an empty name, but know a directory as ".".
template <typename ByName, typename ByPath>
long with_xattr_call(HostName name, ByName by_name, ByPath by_path) {
  bool is_own = *name.name == '\0';
  if (has_xattrat()) {
    long status = by_name(name.directory, is_own ? "." : name.name);
    // EACCES may only mean that the directory cannot be searched, which its own attributes do not need.
    if (status >= 0 || !is_own || (errno != ENOTDIR && errno != EACCES)) return status;
  }
  auto object = host_open(name, O_PATH);
  if (!object) return errno = object.error().value(), -1;
  return by_path(path_of_own_descriptor(object->get()).c_str());
}

long get_once(HostName name, const std::string& attribute, std::string& value) {
  XattrArguments arguments{reinterpret_cast<uint64_t>(value.data()), static_cast<uint32_t>(value.size()), 0};
  return with_xattr_call(
      name,
      [&](int directory, const char* own_name) {
        return syscall(kGetxattrat, directory, own_name, AT_SYMLINK_NOFOLLOW, attribute.c_str(), &arguments,
                       sizeof arguments);
      },
      [&](const char* path) { return getxattr(path, attribute.c_str(), value.data(), value.size()); });
}

long list_once(HostName name, std::string& list) {
  return with_xattr_call(
      name,
      [&](int directory, const char* own_name) {
        return syscall(kListxattrat, directory, own_name, AT_SYMLINK_NOFOLLOW, list.data(), list.size());
      },
      [&](const char* path) { return listxattr(path, list.data(), list.size()); });
}

// Grows the buffer to the largest size the kernel knows when the usual one is too small.
template <typename Call>
Result<std::string> with_buffer(size_t usual, size_t largest, Call call) {
  std::string buffer(usual, '\0');
  long length = call(buffer);
  if (length < 0 && errno == ERANGE) {
    buffer.resize(largest);
    length = call(buffer);
  }
  if (length < 0) return last_error();
  buffer.resize(static_cast<size_t>(length));
  return buffer;
}

}  // namespace

Result<std::string> host_getxattr(HostName name, const std::string& attribute) {
  return with_buffer(256, XATTR_SIZE_MAX,
                     [&](std::string& buffer) { return get_once(name, attribute, buffer); });
}

Result<void> host_setxattr(HostName name, const std::string& attribute, std::string_view value, int flags) {
  XattrArguments arguments{reinterpret_cast<uint64_t>(value.data()), static_cast<uint32_t>(value.size()),
                           static_cast<uint32_t>(flags)};
  return host_status(with_xattr_call(
      name,
      [&](int directory, const char* own_name) {
        return syscall(kSetxattrat, directory, own_name, AT_SYMLINK_NOFOLLOW, attribute.c_str(), &arguments,
                       sizeof arguments);
      },
      [&](const char* path) {
        return setxattr(path, attribute.c_str(), value.data(), value.size(), flags);
      }));
}

Result<std::vector<std::string>> host_listxattr(HostName name) {
  std::string list =
      TRY(with_buffer(1024, XATTR_LIST_MAX, [&](std::string& buffer) { return list_once(name, buffer); }));
  std::vector<std::string> attributes;
  for (size_t at = 0; at < list.size();) {
    attributes.emplace_back(list.c_str() + at);
    at += attributes.back().size() + 1;
  }
  return attributes;
}

Result<void> host_removexattr(HostName name, const std::string& attribute) {
  return host_status(with_xattr_call(
      name,
      [&](int directory, const char* own_name) {
        return syscall(kRemovexattrat, directory, own_name, AT_SYMLINK_NOFOLLOW, attribute.c_str());
      },
      [&](const char* path) { return removexattr(path, attribute.c_str()); }));
}

bool workload_may_read_xattr(std::string_view attribute) { return !attribute.starts_with("trusted."); }

Result<void> workload_may_change_xattr(std::string_view attribute) {
  if (attribute.starts_with("user.")) return {};
  if (attribute.starts_with("trusted.") || attribute.starts_with("security.")) return err(EPERM);
  return err(EOPNOTSUPP);
}

}  // namespace sandbox::vfs
