// IoctlEntry: one request of ioctl with what its argument is.
#pragma once

#include "sentry/trace/type.h"

namespace sandbox::trace {

struct IoctlEntry {
  enum class Use : uint8_t {
    kNothing,     // the argument is not looked at
    kNumber,      // the argument is a number
    kIn,          // it points to what the call reads
    kOut,         // or writes
    kInOut,       // or both
    kDescriptor,  // the result is a descriptor, the argument a number
  };
  Name name;
  Use use;
  const Type* type = nullptr;
};

// One table a family of devices.
std::span<const IoctlEntry> terminal_requests();
std::span<const IoctlEntry> network_requests();
std::span<const IoctlEntry> file_requests();

}  // namespace sandbox::trace

// The request is named before it is expanded: most are macros of macros.
#define IOCTL(request, use, type)                                                            \
  ::sandbox::trace::IoctlEntry {                                                             \
    {#request, static_cast<uint64_t>(request)}, ::sandbox::trace::IoctlEntry::Use::use, type \
  }
