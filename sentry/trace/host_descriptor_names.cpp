// What /proc/TID/fd says, and for sockets what a duplicate of the socket says about itself.
#include "sentry/trace/host_descriptor_names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "platform/pidfd.h"
#include "sandbox/unique_fd.h"
#include "sentry/trace/digits.h"

namespace sandbox::trace {
namespace {

std::string link_target(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<size_t>(length));
}

pid_t leader_of(pid_t tid) {
  constexpr std::string_view kField = "\nTgid:\t";
  char status[1024];
  const UniqueFd file(open(("/proc/" + decimal(tid) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t length = file.get() < 0 ? -1 : read(file.get(), status, sizeof status);
  if (length < 0) return tid;
  const std::string_view text(status, static_cast<size_t>(length));
  const size_t at = text.find(kField);
  return at == std::string_view::npos ? tid
                                      : std::atoi(std::string(text.substr(at + kField.size(), 12)).c_str());
}

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

// Nothing but getters: the socket is the traced program's own.
std::string socket_text(int socket, const std::string& link) {
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

}  // namespace

std::string HostDescriptorNames::describe(int descriptor) {
  const std::string link = "/proc/" + decimal(tid_) + "/fd/" + decimal(descriptor);
  std::string target = link_target(link);
  if (!target.starts_with("socket:[")) return target;
  auto process = platform::open_pidfd(tid_);
  // A thread that leads no process shares its leader's descriptors, nearly always.
  if (!process) process = platform::open_pidfd(leader_of(tid_));
  if (!process) return target;
  const auto socket = platform::copy_descriptor(*process, descriptor);
  return socket ? socket_text(socket->get(), target) : target;
}

std::string HostDescriptorNames::working_directory() {
  return link_target("/proc/" + decimal(tid_) + "/cwd");
}

}  // namespace sandbox::trace
