// /proc/PID/net: the host kernel's text for the task's own network namespace.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "vfs/procfs/context.h"

namespace sandbox::vfs {
namespace {

// Each tells of one network namespace only, in numbers that mean the same on either side.
constexpr const char* kFiles[] = {
    "anycast6",     "arp",         "connector", "dev",        "dev_mcast", "fib_trie",      "fib_triestat",
    "icmp",         "icmp6",       "if_inet6",  "igmp",       "igmp6",     "ip6_flowlabel", "ip6_mr_cache",
    "ip6_mr_vif",   "ip_mr_cache", "ip_mr_vif", "ipv6_route", "mcfilter",  "mcfilter6",     "netlink",
    "netstat",      "packet",      "protocols", "psched",     "ptype",     "raw",           "raw6",
    "route",        "rt6_stats",   "rt_acct",   "snmp",       "snmp6",     "sockstat",      "sockstat6",
    "softnet_stat", "tcp",         "tcp6",      "udp",        "udp6",      "udplite",       "udplite6",
    "unix",         "wireless",    "xfrm_stat",
};

class NetworkDirectory : public TaskNode {
 public:
  using TaskNode::TaskNode;

  Result<InodePtr> lookup(std::string_view name) override {
    auto task = context(nullptr);
    if (!task) return err(ENOENT);
    for (const char* known : kFiles) {
      if (name == known && exists(*task, known))
        return std::make_shared<TaskGeneratedFile>(
            procfs(), reference(), inode_for(name), 0444, Access::kAnyone, known,
            [known](const TaskContext& context) { return context.read_host(fmt::format("net/{}", known)); });
    }
    return err(ENOENT);
  }
  bool is_current(std::string_view, const InodePtr&) override { return is_alive(); }

  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override {
    TaskContext task = TRY(context(&caller));
    std::vector<DirectoryEntry> entries;
    for (const char* name : kFiles)
      if (exists(task, name)) entries.push_back({name, inode_for(name), directory_entry_type(S_IFREG)});
    return entries;
  }

 private:
  static bool exists(const TaskContext& task, const char* name) {
    struct stat status;
    std::string path = fmt::format("net/{}", name);
    return ::fstatat(task.host_directory.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  }
  uint64_t inode_for(std::string_view name) const {
    return SyntheticFilesystem::inode_of(inode_number(), name);
  }
};

InodePtr make_network(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<NetworkDirectory>(procfs, reference, inode, S_IFDIR | 0555);
}

constexpr TaskRow kRows[] = {
    task_directory("net", 0555, make_network),
};

}  // namespace

std::span<const TaskRow> task_network_rows() { return kRows; }

}  // namespace sandbox::vfs
