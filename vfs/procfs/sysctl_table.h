// The values below /proc/sys that need no code of their own.
#pragma once

#include <sys/types.h>

#include <span>

namespace sandbox::vfs {

struct Sysctl {
  const char* path;    // below /proc/sys
  mode_t permissions;  // what Linux shows; nothing here can be written (EACCES)
  enum class Source {
    kConstant,  // what a fresh namespace, or a cautious machine, has
    kHost,      // the host's value, the constant where its kernel has none
    kNetwork,   // the host's value for a workload in its network namespace, else the constant
  } source;
  const char* value;  // without the newline
};

std::span<const Sysctl> sysctl_table();
// `*` in the path stands for an interface: all, default, lo.
std::span<const Sysctl> interface_sysctl_table();

}  // namespace sandbox::vfs
