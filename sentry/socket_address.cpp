// Reading of socket addresses (net/socket.c: move_addr_to_kernel; net/unix/af_unix.c: unix_validate_addr).
#include "sentry/socket_address.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sandbox {

Result<SocketAddress> SocketAddress::read(GuestMemory& memory, GuestPtr<const void> pointer, int length) {
  if (length < 0 || static_cast<size_t>(length) > sizeof(sockaddr_storage)) return err(EINVAL);
  SocketAddress result;
  size_t size = static_cast<size_t>(length);
  TRY(memory.read_bytes(pointer.address, std::as_writable_bytes(std::span(&result.bytes_, 1)).first(size)));
  result.length_ = static_cast<socklen_t>(length);
  constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);
  if (size <= kPathOffset || size > sizeof(sockaddr_un) || result.bytes_.ss_family != AF_UNIX) return result;
  const char* path = reinterpret_cast<const char*>(&result.bytes_) + kPathOffset;
  result.path_.assign(path, ::strnlen(path, size - kPathOffset));
  return result;
}

UnixAddress::UnixAddress(const std::string& path) {
  address.sun_family = AF_UNIX;
  size_t size = std::min(path.size() + 1, sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), size);
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
}

UnixAddress address_of_descriptor(int fd) { return UnixAddress("/proc/self/fd/" + std::to_string(fd)); }

Result<SocketKind> socket_kind(int fd) {
  SocketKind kind{};
  socklen_t size = sizeof kind.domain;
  TRY(host_status(::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &kind.domain, &size)));
  size = sizeof kind.type;
  TRY(host_status(::getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind.type, &size)));
  return kind;
}

}  // namespace sandbox
