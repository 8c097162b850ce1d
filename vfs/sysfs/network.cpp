// class/net: the loopback interface, with the counters of the reader's own network namespace.
#include <fmt/format.h>

#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"
#include "vfs/sysfs/nodes.h"

namespace sandbox::vfs {
namespace {

// What the kernel gives every loopback interface (drivers/net/loopback.c).
struct Constant {
  const char* name;
  const char* value;
};
constexpr Constant kLoopback[] = {
    {"addr_assign_type", "0\n"},
    {"addr_len", "6\n"},
    {"address", "00:00:00:00:00:00\n"},
    {"broadcast", "00:00:00:00:00:00\n"},
    {"carrier", "1\n"},
    {"carrier_changes", "0\n"},
    {"dev_id", "0x0\n"},
    {"dev_port", "0\n"},
    {"dormant", "0\n"},
    {"flags", "0x9\n"},
    {"ifindex", "1\n"},
    {"iflink", "1\n"},
    {"link_mode", "0\n"},
    {"mtu", "65536\n"},
    {"netdev_group", "0\n"},
    {"operstate", "unknown\n"},
    {"proto_down", "0\n"},
    {"tx_queue_len", "1000\n"},
    {"type", "772\n"},
    {"uevent", "INTERFACE=lo\nIFINDEX=1\n"},
};

// The columns of /proc/net/dev in their order.
constexpr const char* kCounters[] = {
    "rx_bytes",       "rx_packets", "rx_errors",         "rx_dropped",    "rx_fifo_errors", "rx_frame_errors",
    "rx_compressed",  "multicast",  "tx_bytes",          "tx_packets",    "tx_errors",      "tx_dropped",
    "tx_fifo_errors", "collisions", "tx_carrier_errors", "tx_compressed",
};

Result<std::string> read_counter(KernelView& kernel, const Caller* caller, size_t column) {
  if (caller == nullptr) return "0\n";
  std::string text = TRY(read_host_file(kernel.host_proc(), fmt::format("{}/net/dev", caller->host_tid)));
  std::string value = "0";
  for_each_line(text, [&](std::string_view line) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view name = line.substr(0, colon);
    if (take_word(&name) != "lo") return;
    std::string_view rest = line.substr(colon + 1);
    for (size_t i = 0; i < column; ++i) take_word(&rest);
    value = take_word(&rest);
  });
  return value + "\n";
}

}  // namespace

void add_network(Sysfs& sysfs, FixedDirectory& root) {
  FixedDirectory& interface = root.directory_at("devices/virtual/net/lo");
  for (const Constant& constant : kLoopback)
    add_attribute(sysfs, interface, constant.name,
                  [&constant](const Caller*) -> Result<std::string> { return constant.value; });
  for (size_t column = 0; column < std::size(kCounters); ++column)
    add_attribute(sysfs, interface, fmt::format("statistics/{}", kCounters[column]),
                  [&kernel = sysfs.kernel(), column](const Caller* caller) {
                    return read_counter(kernel, caller, column);
                  });
  FixedDirectory& classes = root.directory_at("class/net");
  classes.add("lo", std::make_shared<GeneratedLink>(sysfs, classes.inode_for("lo"),
                                                    std::string("../../devices/virtual/net/lo")));
}

}  // namespace sandbox::vfs
