// ioctl requests of sockets and network interfaces.
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_tun.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>
#include <linux/wireless.h>

#include "sentry/trace/ioctl_entry.h"
#include "sentry/trace/socket_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kInterfaceFlags[] = {
    NAME(IFF_UP),          NAME(IFF_BROADCAST),  NAME(IFF_DEBUG),     NAME(IFF_LOOPBACK),
    NAME(IFF_POINTOPOINT), NAME(IFF_NOTRAILERS), NAME(IFF_RUNNING),   NAME(IFF_NOARP),
    NAME(IFF_PROMISC),     NAME(IFF_ALLMULTI),   NAME(IFF_MASTER),    NAME(IFF_SLAVE),
    NAME(IFF_MULTICAST),   NAME(IFF_PORTSEL),    NAME(IFF_AUTOMEDIA), NAME(IFF_DYNAMIC)};
constexpr Name kTunFlags[] = {NAME(IFF_TUN),         NAME(IFF_TAP),      NAME(IFF_NO_PI),
                              NAME(IFF_ONE_QUEUE),   NAME(IFF_VNET_HDR), NAME(IFF_TUN_EXCL),
                              NAME(IFF_MULTI_QUEUE), NAME(IFF_PERSIST)};

constexpr size_t kNameSize = IFNAMSIZ, kUnionStart = offsetof(ifreq, ifr_ifru);

Value interface_name(std::span<const std::byte> bytes) {
  const char* name = reinterpret_cast<const char*>(bytes.data());
  return Value::string(std::string(name, strnlen(name, kNameSize)));
}

uint32_t number_in(std::span<const std::byte> bytes, size_t width = sizeof(uint32_t)) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + kUnionStart, width);
  return number;
}

constexpr uint64_t kAsks = 1;  // of SIOCxIF*: getters have odd numbers, with exceptions that hurt nobody

// What the union of struct ifreq holds depends on the request.
enum class Part : uint8_t { kNone, kAddress, kIndex, kFlags, kNumber, kHardware, kTunFlags, kData };

template <Part part>
Value show_interface_request(Scope& scope, const Type&, const Source& source) {
  Value value = Value::structure();
  const auto bytes = source.bytes;
  const auto address = bytes.subspan(kUnionStart, sizeof(sockaddr));
  value.add("ifr_name", interface_name(bytes));
  // A request that asks has only the name filled in before the call.
  if (scope.is_exit())
    scope.replace_before();
  else if (scope.argument(1) & kAsks)
    return value;
  switch (part) {
    case Part::kAddress:
      value.add("ifr_addr", socket_address_value(address));
      break;
    case Part::kHardware:
      value.add("ifr_hwaddr", socket_address_value(address));
      break;
    case Part::kIndex:
      value.add("ifr_ifindex", Value::natural(number_in(bytes)));
      break;
    case Part::kFlags:
      value.add("ifr_flags", flags_value(number_in(bytes, sizeof(uint16_t)), kInterfaceFlags, "IFF_???"));
      break;
    case Part::kTunFlags:
      value.add("ifr_flags", flags_value(number_in(bytes, sizeof(uint16_t)), kTunFlags, "IFF_???"));
      break;
    case Part::kNumber:
      value.add("ifr_value", Value::integer(static_cast<int>(number_in(bytes))));
      break;
    case Part::kData: {
      uint64_t pointer;
      std::memcpy(&pointer, bytes.data() + kUnionStart, sizeof pointer);
      value.add("ifr_data", Value::address(pointer));
      break;
    }
    case Part::kNone:
      break;
  }
  return value;
}

Value show_interface_list(Scope& scope, const Type&, const Source& source) {
  ifconf list;
  std::memcpy(&list, source.bytes.data(), sizeof list);
  const auto buffer = reinterpret_cast<uint64_t>(list.ifc_buf);
  Value value = Value::structure();
  value.add("ifc_len", Value::integer(list.ifc_len));
  if (!scope.is_exit() || buffer == 0 || list.ifc_len < 0) {
    value.add("ifc_buf", Value::address(buffer));
    return value;
  }
  static constexpr Type kEntry{"", show_interface_request<Part::kAddress>, sizeof(ifreq)};
  value.add("ifc_req", scope.array(kEntry, buffer, static_cast<size_t>(list.ifc_len) / sizeof(ifreq)));
  return value;
}

constexpr Type kName{"", show_interface_request<Part::kNone>, sizeof(ifreq)};
constexpr Type kAddress{"", show_interface_request<Part::kAddress>, sizeof(ifreq)};
constexpr Type kHardware{"", show_interface_request<Part::kHardware>, sizeof(ifreq)};
constexpr Type kIndex{"", show_interface_request<Part::kIndex>, sizeof(ifreq)};
constexpr Type kFlags{"", show_interface_request<Part::kFlags>, sizeof(ifreq)};
constexpr Type kTun{"", show_interface_request<Part::kTunFlags>, sizeof(ifreq)};
constexpr Type kValue{"", show_interface_request<Part::kNumber>, sizeof(ifreq)};
constexpr Type kData{"", show_interface_request<Part::kData>, sizeof(ifreq)};
constexpr Type kList{"", show_interface_list, sizeof(ifconf)};
constexpr Type kNumber{"", show_signed, 4};

constexpr IoctlEntry kRequests[] = {IOCTL(SIOCGIFCONF, kInOut, &kList),
                                    IOCTL(SIOCGIFNAME, kInOut, &kIndex),
                                    IOCTL(SIOCGIFINDEX, kInOut, &kIndex),
                                    IOCTL(SIOCGIFFLAGS, kInOut, &kFlags),
                                    IOCTL(SIOCSIFFLAGS, kIn, &kFlags),
                                    IOCTL(SIOCGIFADDR, kInOut, &kAddress),
                                    IOCTL(SIOCSIFADDR, kIn, &kAddress),
                                    IOCTL(SIOCGIFDSTADDR, kInOut, &kAddress),
                                    IOCTL(SIOCSIFDSTADDR, kIn, &kAddress),
                                    IOCTL(SIOCGIFBRDADDR, kInOut, &kAddress),
                                    IOCTL(SIOCSIFBRDADDR, kIn, &kAddress),
                                    IOCTL(SIOCGIFNETMASK, kInOut, &kAddress),
                                    IOCTL(SIOCSIFNETMASK, kIn, &kAddress),
                                    IOCTL(SIOCGIFMETRIC, kInOut, &kValue),
                                    IOCTL(SIOCSIFMETRIC, kIn, &kValue),
                                    IOCTL(SIOCGIFMTU, kInOut, &kValue),
                                    IOCTL(SIOCSIFMTU, kIn, &kValue),
                                    IOCTL(SIOCGIFHWADDR, kInOut, &kHardware),
                                    IOCTL(SIOCSIFHWADDR, kIn, &kHardware),
                                    IOCTL(SIOCGIFTXQLEN, kInOut, &kValue),
                                    IOCTL(SIOCSIFTXQLEN, kIn, &kValue),
                                    IOCTL(SIOCSIFNAME, kIn, &kName),
                                    IOCTL(SIOCGIFMAP, kInOut, &kName),
                                    IOCTL(SIOCETHTOOL, kInOut, &kData),
                                    IOCTL(SIOCGMIIPHY, kInOut, &kName),
                                    IOCTL(SIOCGMIIREG, kInOut, &kName),
                                    IOCTL(SIOCADDRT, kIn, nullptr),
                                    IOCTL(SIOCDELRT, kIn, nullptr),
                                    IOCTL(SIOCGARP, kInOut, nullptr),
                                    IOCTL(SIOCSARP, kIn, nullptr),
                                    IOCTL(SIOCDARP, kIn, nullptr),
                                    IOCTL(SIOCBRADDBR, kIn, nullptr),
                                    IOCTL(SIOCBRDELBR, kIn, nullptr),
                                    IOCTL(SIOCGSTAMP_OLD, kOut, &kTimeval),
                                    IOCTL(SIOCGSTAMPNS_OLD, kOut, &kTimespec),
                                    IOCTL(SIOCGSTAMP_NEW, kOut, &kTimeval),
                                    IOCTL(SIOCGSTAMPNS_NEW, kOut, &kTimespec),
                                    IOCTL(SIOCATMARK, kOut, &kNumber),
                                    IOCTL(SIOCGPGRP, kOut, &kNumber),
                                    IOCTL(SIOCSPGRP, kIn, &kNumber),
                                    IOCTL(FIOGETOWN, kOut, &kNumber),
                                    IOCTL(FIOSETOWN, kIn, &kNumber),
                                    IOCTL(SIOCOUTQNSD, kOut, &kNumber),
                                    IOCTL(SIOCGSKNS, kDescriptor, nullptr),
                                    IOCTL(TUNSETIFF, kInOut, &kTun),
                                    IOCTL(TUNGETIFF, kOut, &kTun),
                                    IOCTL(TUNGETFEATURES, kOut, &kNumber),
                                    IOCTL(TUNSETPERSIST, kNumber, &kNumber),
                                    IOCTL(TUNSETOWNER, kNumber, &kNumber),
                                    IOCTL(SIOCGIWNAME, kInOut, &kName)};

}  // namespace

std::span<const IoctlEntry> network_requests() { return kRequests; }

}  // namespace sandbox::trace
