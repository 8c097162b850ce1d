// Sockets: domains, types, protocols, flags, addresses, messages with their control messages.
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/socket_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {

namespace {

constexpr uint64_t kTypeBits = 0xf;
constexpr Name kSocketTypes[] = {{"SOCK_STREAM", SOCK_STREAM, kTypeBits},
                                 {"SOCK_DGRAM", SOCK_DGRAM, kTypeBits},
                                 {"SOCK_RAW", SOCK_RAW, kTypeBits},
                                 {"SOCK_RDM", SOCK_RDM, kTypeBits},
                                 {"SOCK_SEQPACKET", SOCK_SEQPACKET, kTypeBits},
                                 {"SOCK_DCCP", SOCK_DCCP, kTypeBits},
                                 {"SOCK_PACKET", SOCK_PACKET, kTypeBits},
                                 {"SOCK_CLOEXEC", SOCK_CLOEXEC},
                                 {"SOCK_NONBLOCK", SOCK_NONBLOCK}};
constexpr Name kSocketFlags[] = {{"SOCK_CLOEXEC", SOCK_CLOEXEC}, {"SOCK_NONBLOCK", SOCK_NONBLOCK}};

constexpr Name kInternetProtocols[] = {
    {"IPPROTO_IP", 0},        {"IPPROTO_ICMP", 1},   {"IPPROTO_IGMP", 2},       {"IPPROTO_IPIP", 4},
    {"IPPROTO_TCP", 6},       {"IPPROTO_EGP", 8},    {"IPPROTO_PUP", 12},       {"IPPROTO_UDP", 17},
    {"IPPROTO_IDP", 22},      {"IPPROTO_TP", 29},    {"IPPROTO_DCCP", 33},      {"IPPROTO_IPV6", 41},
    {"IPPROTO_RSVP", 46},     {"IPPROTO_GRE", 47},   {"IPPROTO_ESP", 50},       {"IPPROTO_AH", 51},
    {"IPPROTO_ICMPV6", 58},   {"IPPROTO_MTP", 92},   {"IPPROTO_BEETPH", 94},    {"IPPROTO_ENCAP", 98},
    {"IPPROTO_PIM", 103},     {"IPPROTO_COMP", 108}, {"IPPROTO_L2TP", 115},     {"IPPROTO_SCTP", 132},
    {"IPPROTO_UDPLITE", 136}, {"IPPROTO_MPLS", 137}, {"IPPROTO_ETHERNET", 143}, {"IPPROTO_RAW", 255},
    {"IPPROTO_SMC", 256},     {"IPPROTO_MPTCP", 262}};
constexpr Name kNetlinkProtocols[] = {NAME(NETLINK_ROUTE),      NAME(NETLINK_UNUSED),
                                      NAME(NETLINK_USERSOCK),   NAME(NETLINK_FIREWALL),
                                      NAME(NETLINK_SOCK_DIAG),  NAME(NETLINK_NFLOG),
                                      NAME(NETLINK_XFRM),       NAME(NETLINK_SELINUX),
                                      NAME(NETLINK_ISCSI),      NAME(NETLINK_AUDIT),
                                      NAME(NETLINK_FIB_LOOKUP), NAME(NETLINK_CONNECTOR),
                                      NAME(NETLINK_NETFILTER),  NAME(NETLINK_IP6_FW),
                                      NAME(NETLINK_DNRTMSG),    NAME(NETLINK_KOBJECT_UEVENT),
                                      NAME(NETLINK_GENERIC),    NAME(NETLINK_SCSITRANSPORT),
                                      NAME(NETLINK_ECRYPTFS),   NAME(NETLINK_RDMA),
                                      NAME(NETLINK_CRYPTO),     NAME(NETLINK_SMC)};
constexpr Name kPacketProtocols[] = {NAME(ETH_P_ALL), NAME(ETH_P_IP), NAME(ETH_P_ARP), NAME(ETH_P_IPV6)};

Value show_protocol(Scope& scope, const Type&, const Source& source) {
  switch (scope.argument(0)) {
    case AF_INET:
    case AF_INET6:
      return choice_value(source.number, 4, kInternetProtocols, "IPPROTO_???");
    case AF_NETLINK:
      return choice_value(source.number, 4, kNetlinkProtocols, "NETLINK_???");
    case AF_PACKET: {
      const auto protocol = __builtin_bswap16(static_cast<uint16_t>(source.number));
      const char* name = name_of(protocol, 2, kPacketProtocols);
      return Value::expression("htons(" + (name != nullptr ? std::string(name) : hex(protocol)) + ")",
                               Value::natural(protocol));
    }
    default:
      return Value::integer(static_cast<int>(source.number));
  }
}

constexpr Name kMessageFlags[] = {{"MSG_OOB", MSG_OOB},
                                  {"MSG_PEEK", MSG_PEEK},
                                  {"MSG_DONTROUTE", MSG_DONTROUTE},
                                  {"MSG_CTRUNC", MSG_CTRUNC},
                                  {"MSG_PROBE", 0x10},
                                  {"MSG_TRUNC", MSG_TRUNC},
                                  {"MSG_DONTWAIT", MSG_DONTWAIT},
                                  {"MSG_EOR", MSG_EOR},
                                  {"MSG_WAITALL", MSG_WAITALL},
                                  {"MSG_FIN", MSG_FIN},
                                  {"MSG_SYN", MSG_SYN},
                                  {"MSG_CONFIRM", MSG_CONFIRM},
                                  {"MSG_RST", MSG_RST},
                                  {"MSG_ERRQUEUE", MSG_ERRQUEUE},
                                  {"MSG_NOSIGNAL", MSG_NOSIGNAL},
                                  {"MSG_MORE", MSG_MORE},
                                  {"MSG_WAITFORONE", MSG_WAITFORONE},
                                  {"MSG_BATCH", 0x40000},
                                  {"MSG_SOCK_DEVMEM", 0x2000000},
                                  {"MSG_ZEROCOPY", MSG_ZEROCOPY},
                                  {"MSG_FASTOPEN", MSG_FASTOPEN},
                                  {"MSG_CMSG_CLOEXEC", MSG_CMSG_CLOEXEC}};
constexpr Name kShutdownHows[] = {{"SHUT_RD", 0}, {"SHUT_WR", 1}, {"SHUT_RDWR", 2}};

// ---- addresses ----
Value show_input_address(Scope& scope, const Type&, const Source& source) {
  return socket_address_at(scope, source.number, scope.argument_after());
}

// The length that the call wrote may be more than there was room for.
Value show_output_address(Scope& scope, const Type&, const Source& source) {
  const auto length = scope.read<int>(scope.argument_after());
  if (source.number == 0 || !length || *length <= 0) return Value::address(source.number);
  return socket_address_at(scope, source.number, static_cast<uint64_t>(*length));
}

// ---- control messages ----
constexpr Name kSocketMessages[] = {{"SCM_RIGHTS", 1},           {"SCM_CREDENTIALS", 2},
                                    {"SCM_SECURITY", 3},         {"SCM_PIDFD", 4},
                                    {"SO_TIMESTAMP_OLD", 29},    {"SO_TIMESTAMPNS_OLD", 35},
                                    {"SO_TIMESTAMPING_OLD", 37}, {"SO_TIMESTAMP_NEW", 63},
                                    {"SO_TIMESTAMPNS_NEW", 64},  {"SO_TIMESTAMPING_NEW", 65}};
constexpr Name kIpMessages[] = {{"IP_TOS", 1},          {"IP_TTL", 2},      {"IP_OPTIONS", 4},
                                {"IP_RETOPTS", 7},      {"IP_PKTINFO", 8},  {"IP_RECVERR", 11},
                                {"IP_ORIGDSTADDR", 20}, {"IP_CHECKSUM", 23}};
constexpr size_t kAlignment = sizeof(uint64_t);
constexpr size_t kMostControl = 4096, kMostMessages = 64, kMostDescriptors = 253;

Value message_type(int level, int type) {
  if (level == SOL_SOCKET) return choice_value(static_cast<uint32_t>(type), 4, kSocketMessages, "SCM_???");
  if (level == SOL_IP) return choice_value(static_cast<uint32_t>(type), 4, kIpMessages, "IP_???");
  return Value::hex(static_cast<uint32_t>(type));
}

Value message_data(Scope& scope, int level, int type, std::span<const std::byte> data) {
  if (level == SOL_SOCKET && type == SCM_RIGHTS) {
    Value descriptors = Value::array();
    for (size_t at = 0; at + sizeof(int) <= data.size() && descriptors.members.size() < kMostDescriptors;
         at += sizeof(int)) {
      int descriptor;
      std::memcpy(&descriptor, data.data() + at, sizeof descriptor);
      descriptors.add(scope.descriptor(descriptor));
    }
    return descriptors;
  }
  if (level == SOL_SOCKET && type == SCM_CREDENTIALS && data.size() >= sizeof(ucred))
    return credentials_value(data);
  const bool is_number = level == SOL_IP && (type == 1 || type == 2) && !data.empty();
  if (is_number) {
    Value value = Value::array();
    uint32_t number = 0;
    std::memcpy(&number, data.data(), std::min(data.size(), sizeof number));
    value.add(Value::hex(number));
    return value;
  }
  return scope.bytes_of(data);
}

// ---- message headers ----
// `bytes`: that the buffers hold together.
Value header_value(Scope& scope, const msghdr& header, uint64_t bytes) {
  const auto at = [](const void* pointer) { return reinterpret_cast<uint64_t>(pointer); };
  Value value = Value::structure();
  value.add("msg_name", header.msg_namelen == 0 || header.msg_name == nullptr
                            ? Value::address(at(header.msg_name))
                            : socket_address_at(scope, at(header.msg_name), header.msg_namelen));
  value.add("msg_namelen", Value::integer(static_cast<int>(header.msg_namelen)));
  value.add("msg_iov", show_io_vector(scope, at(header.msg_iov), header.msg_iovlen, bytes));
  value.add("msg_iovlen", Value::natural(header.msg_iovlen));
  if (header.msg_controllen != 0)
    value.add("msg_control", control_messages_at(scope, at(header.msg_control), header.msg_controllen));
  value.add("msg_controllen", Value::natural(header.msg_controllen));
  value.add("msg_flags", flags_value(static_cast<uint32_t>(header.msg_flags), kMessageFlags, "MSG_???"));
  return value;
}

Value show_sent_header(Scope& scope, const Type&, const Source& source) {
  msghdr header;
  std::memcpy(&header, source.bytes.data(), sizeof header);
  return header_value(scope, header, UINT64_MAX);
}

// Before the call there is nothing in it that strace shows.
Value show_received_header(Scope& scope, const Type&, const Source& source) {
  if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
  const auto header = scope.read<msghdr>(source.number);
  return header ? header_value(scope, *header, static_cast<uint64_t>(scope.result()))
                : Value::address(source.number);
}

enum class Direction : uint8_t { kSent, kReceived };

Value headers_at(Scope& scope, uint64_t address, uint64_t count, Direction direction) {
  const size_t shown = std::min<uint64_t>(count, scope.options().array_elements);
  std::vector<mmsghdr> headers(shown);
  const size_t readable =
      scope.read_some(address, std::as_writable_bytes(std::span(headers))) / sizeof(mmsghdr);
  if (readable == 0 && count != 0) return Value::address(address);
  Value array = Value::array();
  for (size_t i = 0; i < readable; ++i) {
    const uint64_t bytes = direction == Direction::kReceived ? headers[i].msg_len : UINT64_MAX;
    Value part = Value::structure();
    part.add("msg_hdr", header_value(scope, headers[i].msg_hdr, bytes));
    part.add("msg_len", Value::natural(headers[i].msg_len));
    array.add(std::move(part));
  }
  array.is_cut = readable < count;
  return array;
}

// What was sent is known before the call, how much of each only after it.
Value show_sent_messages(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0) return Value::address(0);
  if (!scope.is_exit()) return Value::pending();
  return headers_at(scope, source.number, static_cast<uint64_t>(scope.result()), Direction::kSent);
}

Value show_received_messages(Scope& scope, const Type&, const Source& source) {
  if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
  return headers_at(scope, source.number, static_cast<uint64_t>(scope.result()), Direction::kReceived);
}

}  // namespace

Value control_messages_at(Scope& scope, uint64_t address, uint64_t length) {
  std::vector<std::byte> bytes(std::min<uint64_t>(length, kMostControl));
  if (address == 0 || !scope.read(address, bytes)) return Value::address(address);
  Value array = Value::array();
  size_t at = 0;
  while (at + sizeof(cmsghdr) <= bytes.size() && array.members.size() < kMostMessages) {
    cmsghdr header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    Value part = Value::structure();
    part.add("cmsg_len", Value::natural(header.cmsg_len));
    part.add("cmsg_level", socket_level_value(header.cmsg_level));
    part.add("cmsg_type", message_type(header.cmsg_level, header.cmsg_type));
    const bool is_sound = header.cmsg_len >= sizeof header;
    const size_t size = is_sound ? std::min<size_t>(header.cmsg_len, bytes.size() - at) - sizeof header : 0;
    if (size != 0)
      part.add("cmsg_data", message_data(scope, header.cmsg_level, header.cmsg_type,
                                         std::span(bytes).subspan(at + sizeof header, size)));
    array.add(std::move(part));
    if (!is_sound || header.cmsg_len > bytes.size() - at) break;
    at += (header.cmsg_len + kAlignment - 1) / kAlignment * kAlignment;
  }
  array.is_cut = length > bytes.size();
  return array;
}

namespace {

constexpr Type kTypes[] = {
    {"SocketType", show_flags, 4, kSocketTypes, "SOCK_???"},
    {"SocketProtocol", show_protocol, 4},
    {"SocketFlags", show_flags, 4, kSocketFlags, "SOCK_???"},
    {"MessageFlags", show_flags, 4, kMessageFlags, "MSG_???"},
    {"ShutdownHow", show_choice, 4, kShutdownHows, "SHUT_???"},
    {"InSockaddr", show_input_address},
    {"OutSockaddr", show_output_address},
    {"struct msghdr", show_sent_header, sizeof(msghdr)},
    {"OutMessageHeader", show_received_header},
    {"InMessages", show_sent_messages},
    {"OutMessages", show_received_messages},
};
constexpr Names kMoreNames[] = {kInternetProtocols, kNetlinkProtocols, kSocketMessages};

}  // namespace

Family socket_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
