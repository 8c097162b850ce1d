// What the parts of sysfs are built with.
#pragma once

#include "vfs/synthetic/nodes.h"
#include "vfs/sysfs/sysfs.h"

namespace sandbox::vfs {

class Sysfs final : public SyntheticFilesystem {
 public:
  explicit Sysfs(SysfsOptions options);
  KernelView& kernel() const { return options_.kernel; }
  ResourceView& resources() const { return options_.resources; }
  int host_sys() const { return options_.host_sys.get(); }
  SysfsOptions::Interfaces interfaces() const { return options_.interfaces; }

 private:
  const SysfsOptions options_;
};

// Puts a generated file "a/b/c" below `directory`, with the directories it needs.
void add_attribute(Sysfs& sysfs, FixedDirectory& directory, std::string_view path,
                   GeneratedFile::Generator generate);

// devices/system/cpu, made afresh at each look-up: the CPUs of a sandbox may change while it runs.
InodePtr make_cpu_directory(Sysfs& sysfs, uint64_t inode);
// devices/system/node with its one node.
void add_memory_nodes(Sysfs& sysfs, FixedDirectory& node_directory);
// class/net and devices/virtual/net.
void add_network(Sysfs& sysfs, FixedDirectory& root);
// The same with the interfaces that the host has at each look.
void add_host_network(Sysfs& sysfs, FixedDirectory& root);

}  // namespace sandbox::vfs
