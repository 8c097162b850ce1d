// devices/system/cpu: the same CPUs that /proc/cpuinfo and sched_getaffinity(2) tell of.
#include <fmt/format.h>

#include <algorithm>

#include "vfs/synthetic/text.h"
#include "vfs/sysfs/cpu_list.h"
#include "vfs/sysfs/nodes.h"

namespace sandbox::vfs {
namespace {

// How an attribute of one CPU is shown.
enum class Form { kVerbatim, kCpuList, kCpuMask };
struct Attribute {
  const char* path;  // below cpuN
  Form form = Form::kVerbatim;
  const char* host_list;  // the host's list that a list or a mask is made of
};
constexpr Attribute kTopology[] = {
    {"topology/core_id", Form::kVerbatim, nullptr},
    {"topology/physical_package_id", Form::kVerbatim, nullptr},
    {"topology/die_id", Form::kVerbatim, nullptr},
    {"topology/cluster_id", Form::kVerbatim, nullptr},
    {"topology/core_cpus", Form::kCpuMask, "topology/core_cpus_list"},
    {"topology/core_cpus_list", Form::kCpuList, "topology/core_cpus_list"},
    {"topology/thread_siblings", Form::kCpuMask, "topology/thread_siblings_list"},
    {"topology/thread_siblings_list", Form::kCpuList, "topology/thread_siblings_list"},
    {"topology/package_cpus", Form::kCpuMask, "topology/package_cpus_list"},
    {"topology/package_cpus_list", Form::kCpuList, "topology/package_cpus_list"},
    {"topology/core_siblings", Form::kCpuMask, "topology/core_siblings_list"},
    {"topology/core_siblings_list", Form::kCpuList, "topology/core_siblings_list"},
    {"topology/die_cpus", Form::kCpuMask, "topology/die_cpus_list"},
    {"topology/die_cpus_list", Form::kCpuList, "topology/die_cpus_list"},
    {"topology/cluster_cpus", Form::kCpuMask, "topology/cluster_cpus_list"},
    {"topology/cluster_cpus_list", Form::kCpuList, "topology/cluster_cpus_list"},
};
// Below cache/indexN.
constexpr Attribute kCache[] = {
    {"level", Form::kVerbatim, nullptr},
    {"type", Form::kVerbatim, nullptr},
    {"size", Form::kVerbatim, nullptr},
    {"id", Form::kVerbatim, nullptr},
    {"coherency_line_size", Form::kVerbatim, nullptr},
    {"number_of_sets", Form::kVerbatim, nullptr},
    {"ways_of_associativity", Form::kVerbatim, nullptr},
    {"physical_line_partition", Form::kVerbatim, nullptr},
    {"shared_cpu_map", Form::kCpuMask, "shared_cpu_list"},
    {"shared_cpu_list", Form::kCpuList, "shared_cpu_list"},
};
constexpr int kMaximumCacheIndex = 8;
constexpr const char* kKernelMaximum = "8191\n";  // NR_CPUS - 1 of distribution kernels

// Of the CPUs in the host's list, those that the workload has.
Result<std::vector<int>> visible(ResourceView& resources, int cpu, const std::string& path) {
  std::vector<int> listed = parse_cpu_list(TRY(resources.cpu_attribute(cpu, path)));
  std::vector<int> ours = resources.cpus();
  std::erase_if(listed, [&](int other) { return !std::binary_search(ours.begin(), ours.end(), other); });
  return listed;
}

void add_cpu_attribute(Sysfs& sysfs, FixedDirectory& directory, int cpu, const std::string& prefix,
                       const Attribute& row) {
  ResourceView& resources = sysfs.resources();
  std::string path = prefix + row.path;
  std::string source = row.form == Form::kVerbatim ? path : prefix + row.host_list;
  if (!resources.cpu_attribute(cpu, source)) return;
  add_attribute(sysfs, directory, path,
                [&resources, cpu, source, form = row.form](const Caller*) -> Result<std::string> {
                  if (form == Form::kVerbatim) return resources.cpu_attribute(cpu, source);
                  std::vector<int> cpus = TRY(visible(resources, cpu, source));
                  return (form == Form::kCpuList ? format_cpu_list(cpus) : format_cpu_mask(cpus)) + "\n";
                });
}

InodePtr make_one_cpu(Sysfs& sysfs, uint64_t inode, int cpu) {
  auto directory = std::make_shared<FixedDirectory>(sysfs, inode, 0755);
  // The first CPU cannot be taken away, and Linux has no such file for it.
  if (cpu != 0)
    add_attribute(sysfs, *directory, "online", [](const Caller*) -> Result<std::string> { return "1\n"; });
  for (const Attribute& row : kTopology) add_cpu_attribute(sysfs, *directory, cpu, "", row);
  for (int index = 0; index < kMaximumCacheIndex; ++index) {
    std::string prefix = fmt::format("cache/index{}/", index);
    if (!sysfs.resources().cpu_attribute(cpu, prefix + "level")) break;
    for (const Attribute& row : kCache) add_cpu_attribute(sysfs, *directory, cpu, prefix, row);
  }
  return directory;
}

class CpuDirectory : public FixedDirectory {
 public:
  CpuDirectory(Sysfs& sysfs, uint64_t inode) : FixedDirectory(sysfs, inode), sysfs_(sysfs) {
    ResourceView& resources = sysfs.resources();
    for (const char* name : {"online", "present"})
      add_attribute(sysfs, *this, name, [&resources](const Caller*) -> Result<std::string> {
        return format_cpu_list(resources.cpus()) + "\n";
      });
    // A thread may find itself on a CPU that a quota hides: tables of that many must have room for it.
    add_attribute(sysfs, *this, "possible", [&resources](const Caller*) -> Result<std::string> {
      return format_cpu_list(resources.possible_cpus()) + "\n";
    });
    for (const char* name : {"offline", "isolated", "nohz_full"})
      add_attribute(sysfs, *this, name, [](const Caller*) -> Result<std::string> { return "\n"; });
    add_attribute(sysfs, *this, "kernel_max",
                  [](const Caller*) -> Result<std::string> { return kKernelMaximum; });
  }

  Result<InodePtr> lookup(std::string_view name) override {
    if (auto cpu = cpu_named(name)) return make_one_cpu(sysfs_, inode_for(name), *cpu);
    return FixedDirectory::lookup(name);
  }
  bool is_current(std::string_view name, const InodePtr& child) override {
    return !child || cpu_named(name) || FixedDirectory::lookup(name).has_value();
  }
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override {
    std::vector<DirectoryEntry> entries = TRY(FixedDirectory::list(caller));
    for (int cpu : sysfs_.resources().cpus()) {
      std::string name = fmt::format("cpu{}", cpu);
      uint64_t inode = inode_for(name);
      entries.push_back({std::move(name), inode, directory_entry_type(S_IFDIR)});
    }
    return entries;
  }

 private:
  std::optional<int> cpu_named(std::string_view name) const {
    if (!name.starts_with("cpu")) return std::nullopt;
    std::string_view digits = name.substr(3);
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    auto cpu = parse_number<int>(digits);
    std::vector<int> ours = sysfs_.resources().cpus();
    if (!cpu || !std::binary_search(ours.begin(), ours.end(), *cpu)) return std::nullopt;
    return cpu;
  }

  Sysfs& sysfs_;
};

}  // namespace

InodePtr make_cpu_directory(Sysfs& sysfs, uint64_t inode) {
  return std::make_shared<CpuDirectory>(sysfs, inode);
}

}  // namespace sandbox::vfs
