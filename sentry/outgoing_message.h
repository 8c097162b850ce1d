// OutgoingMessage: one datagram that the sentry sends for a caller, with everything copied out of the
// caller's memory.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <string>
#include <vector>

#include "sandbox/unique_fd.h"
#include "sentry/acting_ids.h"
#include "sentry/call.h"
#include "sentry/socket_address.h"

namespace sandbox {

class OutgoingMessage {
 public:
  // Addresses in the caller's memory, but the struct itself was read before.
  struct Source {
    std::vector<iovec> data;
    GuestPtr<const std::byte> control;
    size_t control_size = 0;
    SocketAddress address;
  };
  // `socket` is a datagram socket of AF_UNIX. Errors, in order: ENOBUFS, EFAULT, EINVAL (control), EBADF (a
  // descriptor to pass), EPERM (credentials that are not the caller's), EMSGSIZE, EFAULT (data), then the
  // path's and ECONNREFUSED.
  static Result<OutgoingMessage> read(Call& call, int socket, const Source& source);

  uint32_t size() const { return static_cast<uint32_t>(data_.size()); }
  enum class Waiting : bool { kNo, kYes };
  // Bytes sent. Errors: those of sendmsg(2); with kNo EAGAIN instead of waiting.
  Result<int64_t> send(int socket, int flags, Waiting waiting) const;

 private:
  explicit OutgoingMessage(ActingIds ids) : ids_(std::move(ids)) {}
  Result<void> read_control(Call& call, const Source& source);
  Result<void> read_data(Call& call, int socket, const Source& source);

  ActingIds ids_;
  std::string data_;
  std::vector<UniqueFd> passed_;  // SCM_RIGHTS
  SocketAddress address_;
  UniqueFd target_;  // open when the address is a path
};

}  // namespace sandbox
