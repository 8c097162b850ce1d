// sendto(2), sendmsg(2), sendmmsg(2): datagrams to a socket whose name is a file of the sandbox.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "sentry/calls/handlers.h"
#include "sentry/outgoing_message.h"
#include "sentry/parked_calls.h"
#include "sentry/socket_address.h"

namespace sandbox {

namespace {

// What every call here lets the kernel do itself is harmless although it reads the address again: see
// SocketAddress. Descriptors that are passed are the caller's own either way, save for the ptrace engine's: a
// thread that slips its number in after the check gets a socket whose use ends the sandbox (PtraceEngine).
constexpr auto let_kernel_send = Reply::run_natively;

uint64_t address_of(const void* guest_pointer) { return reinterpret_cast<uint64_t>(guest_pointer); }

// Errors: EBADF when the engine's own descriptor is among those to be passed.
Result<void> check_passed(Call& call, const msghdr& header) {
  constexpr size_t kLargestControl = 256 * 1024;  // net.core.optmem_max is less
  int reserved = call.sentry().reserved_descriptor();
  if (reserved < 0 || !header.msg_control || header.msg_controllen < sizeof(cmsghdr)) return {};
  auto control = TRY(call.memory().read_array(GuestPtr<const std::byte>{address_of(header.msg_control)},
                                              std::min<size_t>(header.msg_controllen, kLargestControl)));
  for (size_t at = 0; at + sizeof(cmsghdr) <= control.size();) {
    cmsghdr item;
    std::memcpy(&item, control.data() + at, sizeof item);
    if (item.cmsg_len < sizeof item) break;
    size_t end = std::min<size_t>(control.size(), at + std::min<size_t>(item.cmsg_len, control.size()));
    bool passes = item.cmsg_level == SOL_SOCKET && item.cmsg_type == SCM_RIGHTS;
    for (size_t place = at + CMSG_LEN(0); passes && place + sizeof(int) <= end; place += sizeof(int)) {
      int number;
      std::memcpy(&number, control.data() + place, sizeof number);
      if (number == reserved) return err(EBADF);
    }
    at += CMSG_ALIGN(end - at);
  }
  return {};
}

// Only unconnected datagram sockets send by name: the others refuse or ignore the address without looking.
Result<bool> may_send_by_path(int socket) {
  SocketKind kind = TRY(socket_kind(socket));
  return kind.domain == AF_UNIX && kind.type == SOCK_DGRAM;
}

Result<SocketAddress> read_name(Call& call, const msghdr& header) {
  if (!header.msg_name) return SocketAddress();
  int length = static_cast<int>(header.msg_namelen);
  if (length < 0) return err(EINVAL);
  // copy_msghdr_from_user
  length = std::min<int>(length, sizeof(sockaddr_storage));
  return SocketAddress::read(call.memory(), {address_of(header.msg_name)}, length);
}

Result<OutgoingMessage::Source> source_of(Call& call, const msghdr& header, const SocketAddress& address) {
  constexpr size_t kMaximumVectors = 1024;  // UIO_MAXIOV
  if (header.msg_iovlen > kMaximumVectors) return err(EMSGSIZE);
  OutgoingMessage::Source source{.data = {},
                                 .control = {address_of(header.msg_control)},
                                 .control_size = header.msg_controllen,
                                 .address = address};
  source.data = TRY(call.memory().read_array(In<iovec>{address_of(header.msg_iov)}, header.msg_iovlen));
  return source;
}

Result<bool> would_wait(int socket, int flags, const Result<int64_t>& sent) {
  if (sent || sent.error() != Errno(EAGAIN) || (flags & MSG_DONTWAIT)) return false;
  return !(TRY(host_result(::fcntl(socket, F_GETFL))) & O_NONBLOCK);
}

struct Pending {
  UniqueFd socket;
  OutgoingMessage message;
  int flags;
};

SyscallResult send_one(Call& call, UniqueFd socket, const OutgoingMessage::Source& source, int flags) {
  OutgoingMessage message = TRY(OutgoingMessage::read(call, socket.get(), source));
  Result<int64_t> sent = message.send(socket.get(), flags, OutgoingMessage::Waiting::kNo);
  if (!TRY(would_wait(socket.get(), flags, sent))) return TRY(std::move(sent));
  auto pending = std::make_shared<Pending>(std::move(socket), std::move(message), flags);
  return call.sentry().parked_calls().run(call, [pending]() -> SyscallResult {
    return TRY(pending->message.send(pending->socket.get(), pending->flags, OutgoingMessage::Waiting::kYes));
  });
}

struct NamedHeader {
  msghdr header;
  SocketAddress address;
};

Result<std::vector<NamedHeader>> read_headers(Call& call, InMessages pointer, size_t count) {
  auto raw = TRY(call.memory().read_array(GuestPtr<const mmsghdr>{pointer.address}, count));
  std::vector<NamedHeader> headers;
  for (const mmsghdr& each : raw) headers.push_back({each.msg_hdr, TRY(read_name(call, each.msg_hdr))});
  return headers;
}

Result<OutgoingMessage> read_message(Call& call, int socket, const NamedHeader& named) {
  return OutgoingMessage::read(call, socket, TRY(source_of(call, named.header, named.address)));
}

// A wait is only for the first message: after one was sent, a short count is an answer.
SyscallResult send_many(Call& call, UniqueFd socket, InMessages pointer,
                        const std::vector<NamedHeader>& headers, int flags) {
  auto length_of = [&](size_t index) {
    return pointer.element(index).cast<uint32_t>(offsetof(mmsghdr, msg_len));
  };
  for (size_t index = 0; index < headers.size(); ++index) {
    auto message = read_message(call, socket.get(), headers[index]);
    auto sent = message ? message->send(socket.get(), flags, OutgoingMessage::Waiting::kNo)
                        : Result<int64_t>(std::unexpected(message.error()));
    if (sent) {
      TRY(call.memory().write(length_of(index), message->size()));
      continue;
    }
    if (index > 0) return static_cast<int64_t>(index);
    if (!message || !TRY(would_wait(socket.get(), flags, sent))) return std::unexpected(sent.error());
    // Written before it is sent: a datagram goes whole or not at all.
    TRY(call.memory().write(length_of(0), message->size()));
    auto pending = std::make_shared<Pending>(std::move(socket), *std::move(message), flags);
    return call.sentry().parked_calls().run(call, [pending]() -> SyscallResult {
      TRY(pending->message.send(pending->socket.get(), pending->flags, OutgoingMessage::Waiting::kYes));
      return 1;
    });
  }
  return static_cast<int64_t>(headers.size());
}

}  // namespace

SyscallResult sys_sendto(Call& call, Fd sockfd, InBytes buffer, Size size, MessageFlags flags,
                         InSockaddr pointer, Length length) {
  UniqueFd socket = TRY(call.descriptor(sockfd));
  if (!TRY(may_send_by_path(socket.get()))) return let_kernel_send();
  SocketAddress address = TRY(SocketAddress::read(call.memory(), pointer.cast<const void>(), length));
  if (!address.is_path()) return let_kernel_send();
  OutgoingMessage::Source source{.data = {{reinterpret_cast<void*>(buffer.address), size}},
                                 .address = address};
  return send_one(call, std::move(socket), source, flags);
}

SyscallResult sys_sendmsg(Call& call, Fd sockfd, In<msghdr> pointer, MessageFlags flags) {
  msghdr header = TRY(call.memory().read(pointer));
  TRY(check_passed(call, header));
  if (!header.msg_name) return let_kernel_send();
  UniqueFd socket = TRY(call.descriptor(sockfd));
  if (!TRY(may_send_by_path(socket.get()))) return let_kernel_send();
  SocketAddress address = TRY(read_name(call, header));
  if (!address.is_path()) return let_kernel_send();
  return send_one(call, std::move(socket), TRY(source_of(call, header, address)), flags);
}

SyscallResult sys_sendmmsg(Call& call, Fd sockfd, InMessages pointer, Count count, MessageFlags flags) {
  constexpr size_t kMaximumMessages = 1024;  // UIO_MAXIOV
  UniqueFd socket = TRY(call.descriptor(sockfd));
  auto headers = read_headers(call, pointer, std::min<size_t>(count, kMaximumMessages));
  // What cannot be read the kernel meets in its turn, after what it could send; but what it would send unseen
  // might be the engine's.
  if (!headers && call.sentry().reserved_descriptor() >= 0) return std::unexpected(headers.error());
  if (!headers) return let_kernel_send();
  for (const NamedHeader& each : *headers) TRY(check_passed(call, each.header));
  if (!TRY(may_send_by_path(socket.get()))) return let_kernel_send();
  bool has_path =
      std::ranges::any_of(*headers, [](const NamedHeader& each) { return each.address.is_path(); });
  if (!has_path) return let_kernel_send();
  return send_many(call, std::move(socket), pointer, *headers, flags);
}

}  // namespace sandbox
