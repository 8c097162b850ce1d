// Asking a socket for its addresses.
#include "sentry/trace/socket_endpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "sentry/trace/digits.h"

namespace sandbox::trace {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::string address_text(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.storage.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + natural(ntohs(ipv4.sin_port));
  }
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
  inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + natural(ntohs(ipv6.sin6_port));
}

std::string unix_path(const Address& address) {
  const auto& local = reinterpret_cast<const sockaddr_un&>(address.storage);
  constexpr size_t kStart = offsetof(sockaddr_un, sun_path);
  if (address.length <= kStart) return {};
  std::string path(local.sun_path, address.length - kStart);
  if (path[0] == '\0') return "@" + path.substr(1);
  return path.substr(0, path.find('\0'));
}

std::string internet_text(int protocol, int domain, const Address& own, const Address* peer) {
  std::string text = protocol == IPPROTO_TCP   ? "TCP"
                     : protocol == IPPROTO_UDP ? "UDP"
                                               : "IP-" + decimal(protocol);
  if (domain == AF_INET6) text += "v6";
  text += ":[" + address_text(own);
  if (peer != nullptr) text += "->" + address_text(*peer);
  return text + "]";
}

std::string unix_text(int type, const Address& own, const std::string& link) {
  std::string text = type == SOCK_STREAM  ? "UNIX-STREAM:["
                     : type == SOCK_DGRAM ? "UNIX-DGRAM:["
                                          : "UNIX-SEQPACKET:[";
  // "socket:[17]"
  text += link.substr(link.find('[') + 1, link.find(']') - link.find('[') - 1);
  const std::string path = unix_path(own);
  if (!path.empty()) text += "," + path;
  return text + "]";
}

}  // namespace

// Nothing but getters: the socket is the traced program's own.
std::string describe_socket(int socket, const std::string& link) {
  int domain = 0, type = 0, protocol = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return link;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return link;
  if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) return link;
  Address own{{}, sizeof own.storage}, peer{{}, sizeof peer.storage};
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) return link;
  if (domain == AF_UNIX) return unix_text(type, own, link);
  if (domain != AF_INET && domain != AF_INET6) return link;
  const bool has_peer = getpeername(socket, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) == 0;
  return internet_text(protocol, domain, own, has_peer ? &peer : nullptr);
}

}  // namespace sandbox::trace
