// class/net of a workload in the host's network: the host's interfaces, as they come and go.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "vfs/synthetic/host_file.h"
#include "vfs/sysfs/nodes.h"

namespace sandbox::vfs {
namespace {

constexpr const char* kAttributes[] = {
    "addr_assign_type",
    "addr_len",
    "address",
    "broadcast",
    "carrier",
    "carrier_changes",
    "dev_id",
    "dev_port",
    "dormant",
    "duplex",
    "flags",
    "ifalias",
    "ifindex",
    "iflink",
    "link_mode",
    "mtu",
    "netdev_group",
    "operstate",
    "proto_down",
    "speed",
    "tx_queue_len",
    "type",
    "uevent",
    "statistics/collisions",
    "statistics/multicast",
    "statistics/rx_bytes",
    "statistics/rx_compressed",
    "statistics/rx_crc_errors",
    "statistics/rx_dropped",
    "statistics/rx_errors",
    "statistics/rx_fifo_errors",
    "statistics/rx_frame_errors",
    "statistics/rx_length_errors",
    "statistics/rx_missed_errors",
    "statistics/rx_nohandler",
    "statistics/rx_over_errors",
    "statistics/rx_packets",
    "statistics/tx_aborted_errors",
    "statistics/tx_bytes",
    "statistics/tx_carrier_errors",
    "statistics/tx_compressed",
    "statistics/tx_dropped",
    "statistics/tx_errors",
    "statistics/tx_fifo_errors",
    "statistics/tx_heartbeat_errors",
    "statistics/tx_packets",
    "statistics/tx_window_errors",
};

// "devices/virtual/net/lo": where the host keeps the interface. Errors: ENOENT, EINVAL: it is no interface.
Result<std::string> host_path_of(const Sysfs& sysfs, const std::string& interface) {
  std::string target = TRY(read_host_link(sysfs.host_sys(), "class/net/" + interface));
  constexpr std::string_view kUp = "../../";
  if (!target.starts_with(kUp)) return err(ENOENT);
  return target.substr(kUp.size());
}

InodePtr make_link(Sysfs& sysfs, const std::string& interface, uint64_t inode) {
  return std::make_shared<GeneratedLink>(sysfs, inode, "../../devices/virtual/net/" + interface);
}

// Every interface is shown as a virtual one: the host's devices are none of the workload's business.
InodePtr make_interface(Sysfs& sysfs, const std::string& interface, uint64_t inode) {
  auto directory = std::make_shared<FixedDirectory>(sysfs, inode);
  for (const char* attribute : kAttributes)
    add_attribute(sysfs, *directory, attribute,
                  [&sysfs, interface, attribute](const Caller*) -> Result<std::string> {
                    std::string path = TRY(host_path_of(sysfs, interface));
                    return read_host_file(sysfs.host_sys(), fmt::format("{}/{}", path, attribute));
                  });
  return directory;
}

// A directory with a node for each of the host's interfaces.
class HostInterfaces final : public SyntheticNode {
 public:
  using Maker = InodePtr (*)(Sysfs& sysfs, const std::string& interface, uint64_t inode);
  HostInterfaces(Sysfs& sysfs, uint64_t inode, mode_t type, Maker make)
      : SyntheticNode(sysfs, inode, S_IFDIR | 0555), sysfs_(sysfs), type_(type), make_(make) {}

  Result<InodePtr> lookup(std::string_view name) override {
    for (const std::string& interface : interfaces())
      if (interface == name) return make_(sysfs_, interface, inode_for(name));
    return err(ENOENT);
  }
  bool is_current(std::string_view name, const InodePtr&) override {
    const std::vector<std::string> names = interfaces();
    return std::ranges::find(names, name) != names.end();
  }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    std::vector<DirectoryEntry> entries;
    for (const std::string& interface : interfaces())
      entries.push_back({interface, inode_for(interface), directory_entry_type(type_)});
    return entries;
  }

 private:
  std::vector<std::string> interfaces() const {
    auto names = list_host_directory(sysfs_.host_sys(), "class/net").value_or(std::vector<std::string>());
    std::erase_if(names, [this](const std::string& name) { return !host_path_of(sysfs_, name); });
    return names;
  }
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }

  Sysfs& sysfs_;
  const mode_t type_;
  const Maker make_;
};

void add_interfaces(Sysfs& sysfs, FixedDirectory& parent, mode_t type, HostInterfaces::Maker make) {
  parent.add("net", std::make_shared<HostInterfaces>(sysfs, parent.inode_for("net"), type, make));
}

}  // namespace

void add_host_network(Sysfs& sysfs, FixedDirectory& root) {
  add_interfaces(sysfs, root.directory_at("devices/virtual"), S_IFDIR, make_interface);
  add_interfaces(sysfs, root.directory_at("class"), S_IFLNK, make_link);
}

}  // namespace sandbox::vfs
