// Socket addresses of every family that programs use.
#include <arpa/inet.h>
#include <linux/can.h>
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstdio>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/socket_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr size_t kMostAddressBytes = sizeof(sockaddr_storage);

template <typename Address>
bool copy_address(Address& address, std::span<const std::byte> bytes, size_t needed = sizeof(Address)) {
  if (bytes.size() < needed) return false;
  std::memset(&address, 0, sizeof address);
  std::memcpy(&address, bytes.data(), std::min(bytes.size(), sizeof address));
  return true;
}

Value port_value(in_port_t port) {
  return Value::expression("htons(" + natural(ntohs(port)) + ")", Value::natural(ntohs(port)));
}

Value interface_value(unsigned index) {
  // By number: the name belongs to the traced program's network namespace, which may not be ours.
  return Value::natural(index);
}

void add_unix(Value& value, std::span<const std::byte> bytes) {
  constexpr size_t kStart = offsetof(sockaddr_un, sun_path);
  if (bytes.size() <= kStart) return;
  const char* path = reinterpret_cast<const char*>(bytes.data()) + kStart;
  const size_t size = std::min(bytes.size() - kStart, sizeof(sockaddr_un::sun_path));
  if (path[0] != '\0') {
    value.add("sun_path", Value::string(std::string(path, strnlen(path, size))));
    return;
  }
  // The abstract name has no terminator: its length is the address's. strace writes it with @.
  Value name = Value::string(std::string(path + 1, size - 1));
  name.is_abstract = true;
  value.add("sun_path", std::move(name));
}

void add_ipv4(Value& value, const sockaddr_in& address) {
  value.add("sin_port", port_value(address.sin_port));
  value.add("sin_addr", ipv4_value(address.sin_addr));
}

void add_ipv6(Value& value, const sockaddr_in6& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  value.add("sin6_port", port_value(address.sin6_port));
  const uint32_t flow = ntohl(address.sin6_flowinfo);
  value.add("sin6_flowinfo", Value::expression("htonl(" + natural(flow) + ")", Value::natural(flow)));
  Value number = Value::expression("inet_pton(AF_INET6, \"" + std::string(text) + "\", &sin6_addr)",
                                   Value::string(text));
  number.names_itself = true;
  value.add("sin6_addr", std::move(number));
  value.add("sin6_scope_id", interface_value(address.sin6_scope_id));
}

constexpr Name kEtherTypes[] = {NAME(ETH_P_ALL),   NAME(ETH_P_IP),    NAME(ETH_P_ARP),
                                NAME(ETH_P_IPV6),  NAME(ETH_P_8021Q), NAME(ETH_P_LOOP),
                                NAME(ETH_P_802_2), NAME(ETH_P_PAE),   NAME(ETH_P_LLDP)};
constexpr Name kPacketTypes[] = {NAME(PACKET_HOST),      NAME(PACKET_BROADCAST), NAME(PACKET_MULTICAST),
                                 NAME(PACKET_OTHERHOST), NAME(PACKET_OUTGOING),  NAME(PACKET_LOOPBACK)};
constexpr Name kHardwareTypes[] = {NAME(ARPHRD_ETHER), NAME(ARPHRD_LOOPBACK), NAME(ARPHRD_NETROM),
                                   NAME(ARPHRD_PPP),   NAME(ARPHRD_TUNNEL),   NAME(ARPHRD_NONE)};

void add_packet(Value& value, const sockaddr_ll& address) {
  const uint16_t protocol = ntohs(address.sll_protocol);
  const char* name = name_of(protocol, 2, kEtherTypes);
  value.add("sll_protocol",
            Value::expression("htons(" + (name != nullptr ? std::string(name) : hex(protocol)) + ")",
                              Value::natural(protocol)));
  value.add("sll_ifindex", interface_value(static_cast<unsigned>(address.sll_ifindex)));
  value.add("sll_hatype", choice_value(address.sll_hatype, 2, kHardwareTypes, "ARPHRD_???"));
  value.add("sll_pkttype", choice_value(address.sll_pkttype, 1, kPacketTypes, "PACKET_???"));
  value.add("sll_halen", Value::natural(address.sll_halen));
  const size_t length = std::min<size_t>(address.sll_halen, sizeof address.sll_addr);
  if (length == 0) return;
  Value hardware = Value::array();
  for (size_t i = 0; i < length; ++i) hardware.add(Value::hex(address.sll_addr[i]));
  value.add("sll_addr", std::move(hardware));
}

void add_netlink(Value& value, const sockaddr_nl& address) {
  char groups[16];
  snprintf(groups, sizeof groups, "%#08x", address.nl_groups);
  value.add("nl_pid", Value::integer(static_cast<int>(address.nl_pid)));
  value.add("nl_groups", Value::expression(groups, Value::natural(address.nl_groups)));
}

constexpr Name kContextIds[] = {{"VMADDR_CID_ANY", UINT32_MAX},
                                NAME(VMADDR_CID_HYPERVISOR),
                                NAME(VMADDR_CID_LOCAL),
                                NAME(VMADDR_CID_HOST)};

void add_vsock(Value& value, const sockaddr_vm& address) {
  value.add("svm_cid", choice_value(address.svm_cid, 4, kContextIds, {}));
  value.add("svm_port", Value::hex(address.svm_port));
  if (address.svm_flags != 0) value.add("svm_flags", Value::hex(address.svm_flags));
}

void add_crypto(Value& value, const sockaddr_alg& address) {
  const auto text = [](const auto& bytes) {
    const char* start = reinterpret_cast<const char*>(bytes);
    return Value::string(std::string(start, strnlen(start, sizeof bytes)));
  };
  value.add("salg_type", text(address.salg_type));
  value.add("salg_feat", Value::hex(address.salg_feat));
  value.add("salg_mask", Value::hex(address.salg_mask));
  value.add("salg_name", text(address.salg_name));
}

bool add_fields(Value& value, int family, std::span<const std::byte> bytes) {
  switch (family) {
    case AF_UNIX:
      add_unix(value, bytes);
      return true;
    case AF_INET:
      if (sockaddr_in address; copy_address(address, bytes)) return add_ipv4(value, address), true;
      return false;
    case AF_INET6: {
      // The oldest form has no scope.
      constexpr size_t kOldest = offsetof(sockaddr_in6, sin6_scope_id);
      if (sockaddr_in6 address; copy_address(address, bytes, kOldest)) return add_ipv6(value, address), true;
      return false;
    }
    case AF_PACKET:
      if (sockaddr_ll address; copy_address(address, bytes, offsetof(sockaddr_ll, sll_addr)))
        return add_packet(value, address), true;
      return false;
    case AF_NETLINK:
      if (sockaddr_nl address; copy_address(address, bytes)) return add_netlink(value, address), true;
      return false;
    case AF_VSOCK:
      if (sockaddr_vm address; copy_address(address, bytes)) return add_vsock(value, address), true;
      return false;
    case AF_ALG:
      if (sockaddr_alg address; copy_address(address, bytes)) return add_crypto(value, address), true;
      return false;
    case AF_CAN:
      if (sockaddr_can address; copy_address(address, bytes, offsetof(sockaddr_can, can_addr)))
        return value.add("can_ifindex", interface_value(static_cast<unsigned>(address.can_ifindex))), true;
      return false;
    default:
      return false;
  }
}

}  // namespace

Value credentials_value(std::span<const std::byte> bytes) {
  ucred credentials;
  std::memcpy(&credentials, bytes.data(), sizeof credentials);
  Value value = Value::structure();
  value.add("pid", Value::integer(credentials.pid));
  value.add("uid", Value::natural(credentials.uid));
  value.add("gid", Value::natural(credentials.gid));
  return value;
}

Value ipv4_value(const in_addr& address) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, text, sizeof text);
  return Value::expression("inet_addr(\"" + std::string(text) + "\")", Value::string(text));
}

constexpr Name kSocketDomains[] = {
    NAME(AF_UNSPEC),    NAME(AF_UNIX),       NAME(AF_INET),    NAME(AF_AX25),    NAME(AF_IPX),
    NAME(AF_APPLETALK), NAME(AF_NETROM),     NAME(AF_BRIDGE),  NAME(AF_ATMPVC),  NAME(AF_X25),
    NAME(AF_INET6),     NAME(AF_ROSE),       NAME(AF_DECnet),  NAME(AF_NETBEUI), NAME(AF_SECURITY),
    NAME(AF_KEY),       NAME(AF_NETLINK),    NAME(AF_PACKET),  NAME(AF_ASH),     NAME(AF_ECONET),
    NAME(AF_ATMSVC),    NAME(AF_RDS),        NAME(AF_SNA),     NAME(AF_IRDA),    NAME(AF_PPPOX),
    NAME(AF_WANPIPE),   NAME(AF_LLC),        NAME(AF_IB),      NAME(AF_MPLS),    NAME(AF_CAN),
    NAME(AF_TIPC),      NAME(AF_BLUETOOTH),  NAME(AF_IUCV),    NAME(AF_RXRPC),   NAME(AF_ISDN),
    NAME(AF_PHONET),    NAME(AF_IEEE802154), NAME(AF_CAIF),    NAME(AF_ALG),     NAME(AF_NFC),
    NAME(AF_VSOCK),     NAME(AF_KCM),        NAME(AF_QIPCRTR), NAME(AF_SMC),     NAME(AF_XDP),
    NAME(AF_MCTP)};
constexpr Type kSocketDomainNames{"SocketDomain", show_choice, 4, kSocketDomains, "AF_???"};

Family socket_address_family() {
  static constexpr Type kTypes[] = {kSocketDomainNames};
  return {kTypes};
}

Value socket_address_value(std::span<const std::byte> bytes) {
  sa_family_t family;
  Value value = Value::structure();
  if (bytes.size() < sizeof family) return value;
  std::memcpy(&family, bytes.data(), sizeof family);
  value.add("sa_family", choice_value(family, 2, kSocketDomains, "AF_???"));
  if (!add_fields(value, family, bytes) && bytes.size() > sizeof family) {
    const auto data = bytes.subspan(sizeof family);
    value.add("sa_data", Value::string(std::string(reinterpret_cast<const char*>(data.data()), data.size())));
  }
  return value;
}

Value socket_address_at(Scope& scope, uint64_t address, uint64_t length) {
  if (address == 0) return Value::address(0);
  std::array<std::byte, kMostAddressBytes> storage;
  const auto bytes = std::span(storage).first(std::min<uint64_t>(length, storage.size()));
  if (static_cast<int>(length) < 2 || !scope.read(address, bytes)) return Value::address(address);
  return socket_address_value(bytes);
}

}  // namespace sandbox::trace
