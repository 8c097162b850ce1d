// The tables of types, one a family, that make up the decoder's knowledge.
#pragma once

#include <span>

#include "sentry/trace/type.h"

namespace sandbox::trace {

struct Family {
  std::span<const Type> types;
  // Tables of constants that no type of this family lists, for look-ups of a constant by name.
  std::span<const Names> more_names = {};
};

// Defined in types_<name>.cpp.
Family number_family();
Family file_family();
Family memory_family();
Family time_family();
Family poll_family();
Family signal_family();
Family process_family();
Family system_family();
Family socket_family();
Family socket_address_family();
Family socket_option_family();
Family fcntl_family();
Family ioctl_family();
Family seccomp_family();
Family prctl_family();
Family futex_family();
Family ipc_family();
Family mount_family();
Family asynchronous_family();
Family kernel_family();

}  // namespace sandbox::trace
