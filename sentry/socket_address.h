// SocketAddress: the socket address argument of a call, read once, and whether it names a path.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "sandbox/guest_memory.h"
#include "sandbox/syscall_types.h"

namespace sandbox {

// Only an AF_UNIX path is the sentry's business: everything else (other families, abstract names, no name)
// the kernel may read again. A path that another thread puts there meanwhile is looked up in the workload's
// empty root, where no socket is and none can be made.
class SocketAddress {
 public:
  // Errors: EINVAL (length), EFAULT.
  static Result<SocketAddress> read(GuestMemory& memory, GuestPtr<const void> pointer, int length);

  bool is_path() const { return !path_.empty(); }
  // As given, without its NUL; at most 108 bytes.
  const std::string& path() const { return path_; }
  // The bytes that were read: what to hand on when they are not a path.
  const sockaddr_storage& bytes() const { return bytes_; }
  socklen_t length() const { return length_; }

 private:
  sockaddr_storage bytes_{};
  socklen_t length_ = 0;
  std::string path_;
};

// The address that binding to or naming `path` takes: of exactly the length that getsockname then tells.
struct UnixAddress {
  explicit UnixAddress(const std::string& path);
  sockaddr_un address{};
  socklen_t length;
};
// The address of the object behind a descriptor of the sentry's.
UnixAddress address_of_descriptor(int fd);

// What the socket behind `fd` is. Errors: ENOTSOCK, EBADF.
struct SocketKind {
  int domain, type;
};
Result<SocketKind> socket_kind(int fd);

}  // namespace sandbox
