// The fixed part of /sys.
#include "vfs/sysfs/sysfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>

#include "vfs/synthetic/host_file.h"
#include "vfs/sysfs/nodes.h"

namespace sandbox::vfs {
namespace {

constexpr const char* kEmptyDirectories[] = {
    "block",     "bus/cpu/devices", "class/block", "class/tty", "class/power_supply",
    "dev/block", "dev/char",        "firmware",    "fs/cgroup", "hypervisor",
    "module",    "power",
};

// Settings of the host's kernel that the workload's own memory and clocks follow.
constexpr const char* kHostSettings[] = {
    "kernel/mm/transparent_hugepage/enabled",
    "kernel/mm/transparent_hugepage/defrag",
    "kernel/mm/transparent_hugepage/hpage_pmd_size",
    "kernel/mm/transparent_hugepage/shmem_enabled",
    "kernel/mm/transparent_hugepage/use_zero_page",
    "kernel/mm/transparent_hugepage/khugepaged/defrag",
    "kernel/mm/transparent_hugepage/khugepaged/max_ptes_none",
    "kernel/mm/transparent_hugepage/khugepaged/pages_to_scan",
    "kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
    "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    "kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
    "kernel/mm/hugepages/hugepages-2048kB/resv_hugepages",
    "kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages",
    "kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages",
    "devices/system/clocksource/clocksource0/available_clocksource",
    "devices/system/clocksource/clocksource0/current_clocksource",
};

struct Constant {
  const char* path;
  const char* value;
};
constexpr Constant kConstants[] = {
    {"kernel/fscaps", "1\n"},     {"kernel/uevent_seqnum", "0\n"}, {"kernel/rcu_expedited", "0\n"},
    {"kernel/rcu_normal", "0\n"}, {"kernel/profiling", "0\n"},
};

}  // namespace

Sysfs::Sysfs(SysfsOptions options)
    : SyntheticFilesystem("sysfs", CachePolicy::kRevalidate, SYSFS_MAGIC, "sysfs", "rw"),
      options_(std::move(options)) {}

void add_attribute(Sysfs& sysfs, FixedDirectory& directory, std::string_view path,
                   GeneratedFile::Generator generate) {
  size_t slash = path.rfind('/');
  FixedDirectory& parent =
      slash == std::string_view::npos ? directory : directory.directory_at(path.substr(0, slash));
  std::string name(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
  parent.add(name, std::make_shared<GeneratedFile>(sysfs, parent.inode_for(name), 0444, std::move(generate)));
}

std::shared_ptr<Filesystem> create_sysfs(SysfsOptions options) {
  auto sysfs = std::make_shared<Sysfs>(std::move(options));
  auto root = std::make_shared<FixedDirectory>(*sysfs, SyntheticFilesystem::kRootInode);
  for (const char* path : kEmptyDirectories) root->directory_at(path);
  for (const Constant& constant : kConstants)
    add_attribute(*sysfs, *root, constant.path,
                  [&constant](const Caller*) -> Result<std::string> { return constant.value; });
  for (const char* path : kHostSettings) {
    if (sysfs->host_sys() < 0 || !open_host_file(sysfs->host_sys(), path, O_PATH)) continue;
    add_attribute(*sysfs, *root, path,
                  [host = sysfs->host_sys(), path](const Caller*) { return read_host_file(host, path); });
  }
  FixedDirectory& system = root->directory_at("devices/system");
  system.add("cpu", make_cpu_directory(*sysfs, system.inode_for("cpu")));
  add_memory_nodes(*sysfs, *system.add_directory("node"));
  if (sysfs->interfaces() == SysfsOptions::Interfaces::kHosts && sysfs->host_sys() >= 0)
    add_host_network(*sysfs, *root);
  else
    add_network(*sysfs, *root);
  sysfs->set_root(std::move(root));
  return sysfs;
}

}  // namespace sandbox::vfs
