// devices/system/node: one NUMA node with all of the sandbox's memory and CPUs.
#include <fmt/format.h>

#include "vfs/sysfs/cpu_list.h"
#include "vfs/sysfs/nodes.h"

namespace sandbox::vfs {
namespace {

Result<std::string> node_meminfo(ResourceView& resources) {
  std::string text;
  auto append = [&text](std::string_view name, uint64_t value, bool has_unit) {
    std::string label = fmt::format("{}:", name);
    fmt::format_to(std::back_inserter(text), "Node 0 {:<15}{:>8}{}\n", label, value, has_unit ? " kB" : "");
  };
  uint64_t total = 0;
  for (const MemoryLine& line : TRY(resources.memory())) {
    // Swap and limits belong to the machine, not to a node.
    bool is_of_machine = line.name.starts_with("Swap") || line.name.starts_with("Commit") ||
                         line.name.starts_with("Vmalloc") || line.name.starts_with("DirectMap") ||
                         line.name == "MemAvailable" || line.name == "Buffers" || line.name == "Cached";
    if (line.name == "MemTotal") total = line.value;
    if (is_of_machine) continue;
    append(line.name, line.value, line.unit == MemoryLine::Unit::kKibibytes);
    if (line.name == "MemFree") append("MemUsed", total - std::min(total, line.value), true);
  }
  return text;
}

}  // namespace

void add_memory_nodes(Sysfs& sysfs, FixedDirectory& directory) {
  ResourceView& resources = sysfs.resources();
  for (const char* name : {"online", "possible", "has_cpu", "has_memory", "has_normal_memory"})
    add_attribute(sysfs, directory, name, [](const Caller*) -> Result<std::string> { return "0\n"; });
  FixedDirectory& node = *directory.add_directory("node0");
  auto add = [&](const char* name, GeneratedFile::Generator generate) {
    add_attribute(sysfs, node, name, std::move(generate));
  };
  add("cpulist", [&resources](const Caller*) -> Result<std::string> {
    return format_cpu_list(resources.cpus()) + "\n";
  });
  add("cpumap", [&resources](const Caller*) -> Result<std::string> {
    return format_cpu_mask(resources.cpus()) + "\n";
  });
  add("distance", [](const Caller*) -> Result<std::string> { return "10\n"; });
  add("meminfo", [&resources](const Caller*) { return node_meminfo(resources); });
}

}  // namespace sandbox::vfs
