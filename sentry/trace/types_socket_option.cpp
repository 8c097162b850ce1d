// Socket options: levels, names by level, values by name.
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <linux/udp.h>
#include <linux/un.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sentry/trace/families.h"
#include "sentry/trace/socket_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {

namespace {

constexpr Name kLevels[] = {{"SOL_IP", SOL_IP},     {"SOL_SOCKET", SOL_SOCKET}, {"SOL_TCP", 6},
                            {"SOL_UDP", 17},        {"SOL_IPV6", SOL_IPV6},     {"SOL_ICMPV6", SOL_ICMPV6},
                            {"SOL_SCTP", 132},      {"SOL_UDPLITE", 136},       {"SOL_RAW", SOL_RAW},
                            {"SOL_X25", 262},       {"SOL_PACKET", SOL_PACKET}, {"SOL_ATM", SOL_ATM},
                            {"SOL_IRDA", SOL_IRDA}, {"SOL_NETLINK", 270},       {"SOL_TIPC", 271},
                            {"SOL_BLUETOOTH", 274}, {"SOL_ALG", 279},           {"SOL_TLS", 282},
                            {"SOL_XDP", 283},       {"SOL_MPTCP", 284},         {"SOL_SMC", 286},
                            {"SOL_VSOCK", 287}};

constexpr Name kSocketOptions[] = {NAME(SO_DEBUG),
                                   NAME(SO_REUSEADDR),
                                   NAME(SO_TYPE),
                                   NAME(SO_ERROR),
                                   NAME(SO_DONTROUTE),
                                   NAME(SO_BROADCAST),
                                   NAME(SO_SNDBUF),
                                   NAME(SO_RCVBUF),
                                   NAME(SO_KEEPALIVE),
                                   NAME(SO_OOBINLINE),
                                   NAME(SO_NO_CHECK),
                                   NAME(SO_PRIORITY),
                                   NAME(SO_LINGER),
                                   NAME(SO_BSDCOMPAT),
                                   NAME(SO_REUSEPORT),
                                   NAME(SO_PASSCRED),
                                   NAME(SO_PEERCRED),
                                   NAME(SO_RCVLOWAT),
                                   NAME(SO_SNDLOWAT),
                                   {"SO_RCVTIMEO_OLD", 20},
                                   {"SO_SNDTIMEO_OLD", 21},
                                   NAME(SO_SECURITY_AUTHENTICATION),
                                   NAME(SO_SECURITY_ENCRYPTION_TRANSPORT),
                                   NAME(SO_SECURITY_ENCRYPTION_NETWORK),
                                   NAME(SO_BINDTODEVICE),
                                   NAME(SO_ATTACH_FILTER),
                                   NAME(SO_DETACH_FILTER),
                                   NAME(SO_PEERNAME),
                                   {"SO_TIMESTAMP_OLD", 29},
                                   NAME(SO_ACCEPTCONN),
                                   NAME(SO_PEERSEC),
                                   NAME(SO_SNDBUFFORCE),
                                   NAME(SO_RCVBUFFORCE),
                                   NAME(SO_PASSSEC),
                                   {"SO_TIMESTAMPNS_OLD", 35},
                                   NAME(SO_MARK),
                                   {"SO_TIMESTAMPING_OLD", 37},
                                   NAME(SO_PROTOCOL),
                                   NAME(SO_DOMAIN),
                                   NAME(SO_RXQ_OVFL),
                                   NAME(SO_WIFI_STATUS),
                                   NAME(SO_PEEK_OFF),
                                   NAME(SO_NOFCS),
                                   NAME(SO_LOCK_FILTER),
                                   NAME(SO_SELECT_ERR_QUEUE),
                                   NAME(SO_BUSY_POLL),
                                   NAME(SO_MAX_PACING_RATE),
                                   NAME(SO_BPF_EXTENSIONS),
                                   NAME(SO_INCOMING_CPU),
                                   NAME(SO_ATTACH_BPF),
                                   NAME(SO_ATTACH_REUSEPORT_CBPF),
                                   NAME(SO_ATTACH_REUSEPORT_EBPF),
                                   NAME(SO_CNX_ADVICE),
                                   NAME(SO_MEMINFO),
                                   NAME(SO_INCOMING_NAPI_ID),
                                   NAME(SO_COOKIE),
                                   NAME(SO_PEERGROUPS),
                                   NAME(SO_ZEROCOPY),
                                   NAME(SO_TXTIME),
                                   NAME(SO_BINDTOIFINDEX),
                                   NAME(SO_TIMESTAMP_NEW),
                                   NAME(SO_TIMESTAMPNS_NEW),
                                   NAME(SO_TIMESTAMPING_NEW),
                                   NAME(SO_RCVTIMEO_NEW),
                                   NAME(SO_SNDTIMEO_NEW),
                                   NAME(SO_DETACH_REUSEPORT_BPF),
                                   NAME(SO_PREFER_BUSY_POLL),
                                   NAME(SO_BUSY_POLL_BUDGET),
                                   {"SO_NETNS_COOKIE", 71},
                                   {"SO_BUF_LOCK", 72},
                                   {"SO_RESERVE_MEM", 73},
                                   {"SO_TXREHASH", 74},
                                   {"SO_RCVMARK", 75},
                                   {"SO_PASSPIDFD", 76},
                                   {"SO_PEERPIDFD", 77},
                                   {"SO_DEVMEM_LINEAR", 78},
                                   {"SO_DEVMEM_DMABUF", 79},
                                   {"SO_DEVMEM_DONTNEED", 80},
                                   {"SO_RCVPRIORITY", 82},
                                   {"SO_PASSRIGHTS", 83},
                                   {"SO_INQ", 84}};

constexpr Name kIpOptions[] = {NAME(IP_TOS),
                               NAME(IP_TTL),
                               NAME(IP_HDRINCL),
                               NAME(IP_OPTIONS),
                               NAME(IP_ROUTER_ALERT),
                               NAME(IP_RECVOPTS),
                               NAME(IP_RETOPTS),
                               NAME(IP_PKTINFO),
                               NAME(IP_PKTOPTIONS),
                               NAME(IP_MTU_DISCOVER),
                               NAME(IP_RECVERR),
                               NAME(IP_RECVTTL),
                               NAME(IP_RECVTOS),
                               NAME(IP_MTU),
                               NAME(IP_FREEBIND),
                               NAME(IP_IPSEC_POLICY),
                               NAME(IP_XFRM_POLICY),
                               NAME(IP_PASSSEC),
                               NAME(IP_TRANSPARENT),
                               NAME(IP_ORIGDSTADDR),
                               NAME(IP_MINTTL),
                               NAME(IP_NODEFRAG),
                               NAME(IP_CHECKSUM),
                               NAME(IP_BIND_ADDRESS_NO_PORT),
                               {"IP_RECVFRAGSIZE", 25},
                               {"IP_RECVERR_RFC4884", 26},
                               NAME(IP_MULTICAST_IF),
                               NAME(IP_MULTICAST_TTL),
                               NAME(IP_MULTICAST_LOOP),
                               NAME(IP_ADD_MEMBERSHIP),
                               NAME(IP_DROP_MEMBERSHIP),
                               NAME(IP_UNBLOCK_SOURCE),
                               NAME(IP_BLOCK_SOURCE),
                               NAME(IP_ADD_SOURCE_MEMBERSHIP),
                               NAME(IP_DROP_SOURCE_MEMBERSHIP),
                               NAME(IP_MSFILTER),
                               NAME(MCAST_JOIN_GROUP),
                               NAME(MCAST_BLOCK_SOURCE),
                               NAME(MCAST_UNBLOCK_SOURCE),
                               NAME(MCAST_LEAVE_GROUP),
                               NAME(MCAST_JOIN_SOURCE_GROUP),
                               NAME(MCAST_LEAVE_SOURCE_GROUP),
                               NAME(MCAST_MSFILTER),
                               NAME(IP_MULTICAST_ALL),
                               NAME(IP_UNICAST_IF),
                               {"IP_LOCAL_PORT_RANGE", 51},
                               {"IP_PROTOCOL", 52}};

constexpr Name kIpv6Options[] = {NAME(IPV6_ADDRFORM),
                                 NAME(IPV6_2292PKTINFO),
                                 NAME(IPV6_2292HOPOPTS),
                                 NAME(IPV6_2292DSTOPTS),
                                 NAME(IPV6_2292RTHDR),
                                 NAME(IPV6_2292PKTOPTIONS),
                                 NAME(IPV6_CHECKSUM),
                                 NAME(IPV6_2292HOPLIMIT),
                                 NAME(IPV6_NEXTHOP),
                                 NAME(IPV6_AUTHHDR),
                                 {"IPV6_FLOWINFO", 11},
                                 NAME(IPV6_UNICAST_HOPS),
                                 NAME(IPV6_MULTICAST_IF),
                                 NAME(IPV6_MULTICAST_HOPS),
                                 NAME(IPV6_MULTICAST_LOOP),
                                 {"IPV6_ADD_MEMBERSHIP", 20},
                                 {"IPV6_DROP_MEMBERSHIP", 21},
                                 NAME(IPV6_ROUTER_ALERT),
                                 NAME(IPV6_MTU_DISCOVER),
                                 NAME(IPV6_MTU),
                                 NAME(IPV6_RECVERR),
                                 NAME(IPV6_V6ONLY),
                                 NAME(IPV6_JOIN_ANYCAST),
                                 NAME(IPV6_LEAVE_ANYCAST),
                                 NAME(IPV6_MULTICAST_ALL),
                                 NAME(IPV6_ROUTER_ALERT_ISOLATE),
                                 {"IPV6_FLOWLABEL_MGR", 32},
                                 {"IPV6_FLOWINFO_SEND", 33},
                                 NAME(IPV6_IPSEC_POLICY),
                                 NAME(IPV6_XFRM_POLICY),
                                 NAME(IPV6_HDRINCL),
                                 NAME(MCAST_JOIN_GROUP),
                                 NAME(MCAST_BLOCK_SOURCE),
                                 NAME(MCAST_UNBLOCK_SOURCE),
                                 NAME(MCAST_LEAVE_GROUP),
                                 NAME(MCAST_JOIN_SOURCE_GROUP),
                                 NAME(MCAST_LEAVE_SOURCE_GROUP),
                                 NAME(MCAST_MSFILTER),
                                 NAME(IPV6_RECVPKTINFO),
                                 NAME(IPV6_PKTINFO),
                                 NAME(IPV6_RECVHOPLIMIT),
                                 NAME(IPV6_HOPLIMIT),
                                 NAME(IPV6_RECVHOPOPTS),
                                 NAME(IPV6_HOPOPTS),
                                 NAME(IPV6_RTHDRDSTOPTS),
                                 NAME(IPV6_RECVRTHDR),
                                 NAME(IPV6_RTHDR),
                                 NAME(IPV6_RECVDSTOPTS),
                                 NAME(IPV6_DSTOPTS),
                                 NAME(IPV6_RECVPATHMTU),
                                 NAME(IPV6_PATHMTU),
                                 NAME(IPV6_DONTFRAG),
                                 NAME(IPV6_RECVTCLASS),
                                 NAME(IPV6_TCLASS),
                                 NAME(IPV6_AUTOFLOWLABEL),
                                 NAME(IPV6_ADDR_PREFERENCES),
                                 NAME(IPV6_MINHOPCOUNT),
                                 NAME(IPV6_ORIGDSTADDR),
                                 NAME(IPV6_TRANSPARENT),
                                 NAME(IPV6_UNICAST_IF),
                                 {"IPV6_RECVFRAGSIZE", 77},
                                 {"IPV6_FREEBIND", 78}};

constexpr Name kTcpOptions[] = {NAME(TCP_NODELAY),
                                NAME(TCP_MAXSEG),
                                NAME(TCP_CORK),
                                NAME(TCP_KEEPIDLE),
                                NAME(TCP_KEEPINTVL),
                                NAME(TCP_KEEPCNT),
                                NAME(TCP_SYNCNT),
                                NAME(TCP_LINGER2),
                                NAME(TCP_DEFER_ACCEPT),
                                NAME(TCP_WINDOW_CLAMP),
                                NAME(TCP_INFO),
                                NAME(TCP_QUICKACK),
                                NAME(TCP_CONGESTION),
                                NAME(TCP_MD5SIG),
                                NAME(TCP_THIN_LINEAR_TIMEOUTS),
                                NAME(TCP_THIN_DUPACK),
                                NAME(TCP_USER_TIMEOUT),
                                NAME(TCP_REPAIR),
                                NAME(TCP_REPAIR_QUEUE),
                                NAME(TCP_QUEUE_SEQ),
                                NAME(TCP_REPAIR_OPTIONS),
                                NAME(TCP_FASTOPEN),
                                NAME(TCP_TIMESTAMP),
                                NAME(TCP_NOTSENT_LOWAT),
                                NAME(TCP_CC_INFO),
                                NAME(TCP_SAVE_SYN),
                                NAME(TCP_SAVED_SYN),
                                NAME(TCP_REPAIR_WINDOW),
                                NAME(TCP_FASTOPEN_CONNECT),
                                NAME(TCP_ULP),
                                NAME(TCP_MD5SIG_EXT),
                                NAME(TCP_FASTOPEN_KEY),
                                NAME(TCP_FASTOPEN_NO_COOKIE),
                                NAME(TCP_ZEROCOPY_RECEIVE),
                                NAME(TCP_INQ),
                                NAME(TCP_TX_DELAY),
                                {"TCP_AO_ADD_KEY", 38},
                                {"TCP_AO_DEL_KEY", 39},
                                {"TCP_AO_INFO", 40},
                                {"TCP_AO_GET_KEYS", 41},
                                {"TCP_AO_REPAIR", 42},
                                {"TCP_IS_MPTCP", 43},
                                {"TCP_RTO_MAX_MS", 44},
                                {"TCP_RTO_MIN_US", 45},
                                {"TCP_DELACK_MAX_US", 46}};
constexpr Name kUdpOptions[] = {NAME(UDP_CORK),         NAME(UDP_ENCAP),   NAME(UDP_NO_CHECK6_TX),
                                NAME(UDP_NO_CHECK6_RX), NAME(UDP_SEGMENT), NAME(UDP_GRO)};
constexpr Name kNetlinkOptions[] = {
    NAME(NETLINK_ADD_MEMBERSHIP),  NAME(NETLINK_DROP_MEMBERSHIP), NAME(NETLINK_PKTINFO),
    NAME(NETLINK_BROADCAST_ERROR), NAME(NETLINK_NO_ENOBUFS),      NAME(NETLINK_RX_RING),
    NAME(NETLINK_TX_RING),         NAME(NETLINK_LISTEN_ALL_NSID), NAME(NETLINK_LIST_MEMBERSHIPS),
    NAME(NETLINK_CAP_ACK),         NAME(NETLINK_EXT_ACK),         NAME(NETLINK_GET_STRICT_CHK)};
constexpr Name kPacketOptions[] = {
    NAME(PACKET_ADD_MEMBERSHIP), NAME(PACKET_DROP_MEMBERSHIP), NAME(PACKET_RECV_OUTPUT),
    NAME(PACKET_RX_RING),        NAME(PACKET_STATISTICS),      NAME(PACKET_COPY_THRESH),
    NAME(PACKET_AUXDATA),        NAME(PACKET_ORIGDEV),         NAME(PACKET_VERSION),
    NAME(PACKET_HDRLEN),         NAME(PACKET_RESERVE),         NAME(PACKET_TX_RING),
    NAME(PACKET_LOSS),           NAME(PACKET_VNET_HDR),        NAME(PACKET_TX_TIMESTAMP),
    NAME(PACKET_TIMESTAMP),      NAME(PACKET_FANOUT),          NAME(PACKET_TX_HAS_OFF),
    NAME(PACKET_QDISC_BYPASS),   NAME(PACKET_ROLLOVER_STATS),  NAME(PACKET_FANOUT_DATA),
    NAME(PACKET_IGNORE_OUTGOING)};
constexpr Name kTlsOptions[] = {
    NAME(TLS_TX), NAME(TLS_RX), NAME(TLS_TX_ZEROCOPY_RO), {"TLS_RX_EXPECT_NO_PAD", 4}};

struct LevelOptions {
  int level;
  Names names;
  const char* unknown;
};
constexpr LevelOptions kOptionsOfLevels[] = {{SOL_SOCKET, kSocketOptions, "SO_???"},
                                             {SOL_IP, kIpOptions, "IP_???"},
                                             {SOL_IPV6, kIpv6Options, "IPV6_???"},
                                             {6, kTcpOptions, "TCP_???"},
                                             {17, kUdpOptions, "UDP_???"},
                                             {270, kNetlinkOptions, "NETLINK_???"},
                                             {SOL_PACKET, kPacketOptions, "PACKET_???"},
                                             {282, kTlsOptions, "TLS_???"}};

Value show_level(Scope&, const Type&, const Source& source) {
  return socket_level_value(static_cast<int>(source.number));
}
Value show_option(Scope& scope, const Type&, const Source& source) {
  return socket_option_value(static_cast<int>(scope.argument_before()), static_cast<int>(source.number));
}

// ---- values ----
constexpr int kReceiveTimeout = 20, kSendTimeout = 21;

Value linger_value(std::span<const std::byte> bytes) {
  linger value;
  std::memcpy(&value, bytes.data(), sizeof value);
  Value parts = Value::structure();
  parts.add("l_onoff", Value::integer(value.l_onoff));
  parts.add("l_linger", Value::integer(value.l_linger));
  return parts;
}

Value membership_value(std::span<const std::byte> bytes) {
  ip_mreq value;
  std::memcpy(&value, bytes.data(), sizeof value);
  Value parts = Value::structure();
  parts.add("imr_multiaddr", ipv4_value(value.imr_multiaddr));
  parts.add("imr_interface", ipv4_value(value.imr_interface));
  return parts;
}

Value filter_value(Scope& scope, std::span<const std::byte> bytes) {
  sock_fprog program;
  std::memcpy(&program, bytes.data(), sizeof program);
  Value parts = Value::structure();
  parts.add("len", Value::natural(program.len));
  parts.add("filter", bpf_program_at(scope, reinterpret_cast<uint64_t>(program.filter), program.len));
  return parts;
}

bool is_text_option(int level, int option) {
  return (level == SOL_SOCKET && option == SO_BINDTODEVICE) ||
         (level == 6 && (option == TCP_CONGESTION || option == TCP_ULP));
}

constexpr size_t kMostOptionBytes = 512;

Value option_value(Scope& scope, int level, int option, uint64_t address, uint64_t length) {
  if (address == 0) return Value::address(0);
  std::array<std::byte, kMostOptionBytes> storage;
  const auto bytes = std::span(storage).first(std::min<uint64_t>(length, storage.size()));
  if (!scope.read(address, bytes)) return Value::address(address);
  const auto holds = [&](size_t size) { return bytes.size() >= size; };
  if (level == SOL_SOCKET) {
    if (option == SO_LINGER && holds(sizeof(linger))) return linger_value(bytes);
    if ((option == kReceiveTimeout || option == kSendTimeout) && holds(kTimeval.size))
      return scope.show_bytes(kTimeval, bytes.first(kTimeval.size));
    if (option == SO_PEERCRED && holds(sizeof(ucred))) return credentials_value(bytes);
    if ((option == SO_ATTACH_FILTER || option == SO_ATTACH_REUSEPORT_CBPF) && holds(sizeof(sock_fprog)))
      return filter_value(scope, bytes);
    if (option == SO_ERROR && holds(sizeof(int))) {
      int number;
      std::memcpy(&number, bytes.data(), sizeof number);
      Value array = Value::array();
      array.add(number == 0 ? Value::integer(0)
                            : Value::expression(std::string(Errno(number).name()), Value::integer(number)));
      return array;
    }
  }
  if (level == SOL_IP && (option == IP_ADD_MEMBERSHIP || option == IP_DROP_MEMBERSHIP) &&
      holds(sizeof(ip_mreq)))
    return membership_value(bytes);
  if (!is_text_option(level, option) && bytes.size() == sizeof(int)) {
    static constexpr Type kNumber{"", show_signed, 4};
    Value array = Value::array();
    array.add(scope.show_bytes(kNumber, bytes));
    return array;
  }
  return scope.bytes_of(bytes);
}

Value show_input_option(Scope& scope, const Type&, const Source& source) {
  return option_value(scope, static_cast<int>(scope.argument(1)), static_cast<int>(scope.argument(2)),
                      source.number,
                      static_cast<uint64_t>(std::max<int64_t>(0, static_cast<int>(scope.argument_after()))));
}

Value show_output_option(Scope& scope, const Type&, const Source& source) {
  if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
  const auto length = scope.read<int>(scope.argument_after());
  if (source.number == 0 || !length || *length < 0) return Value::address(source.number);
  return option_value(scope, static_cast<int>(scope.argument(1)), static_cast<int>(scope.argument(2)),
                      source.number, static_cast<uint64_t>(*length));
}

constexpr Type kTypes[] = {
    {"SocketLevel", show_level, 4, kLevels},
    {"SocketOption", show_option, 4},
    {"InOption", show_input_option},
    {"OutOption", show_output_option},
};
constexpr Names kMoreNames[] = {kSocketOptions, kIpOptions,      kIpv6Options,   kTcpOptions,
                                kUdpOptions,    kNetlinkOptions, kPacketOptions, kTlsOptions};

}  // namespace

Value socket_level_value(int level) {
  return choice_value(static_cast<uint64_t>(level), 4, kLevels, "SOL_???");
}

Value socket_option_value(int level, int option) {
  for (const LevelOptions& entry : kOptionsOfLevels)
    if (entry.level == level)
      return choice_value(static_cast<uint64_t>(option), 4, entry.names, entry.unknown);
  return Value::integer(option);
}

Family socket_option_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
