// Types that several families refer to, each defined in its family's file.
#pragma once

#include "sentry/trace/scope.h"

namespace sandbox::trace {

// Numbers of any width, for fields; the memory size of the type itself is the name's.
extern const Type kSignedNumber, kUnsignedNumber, kHexNumber, kAddressField;
extern const Type kPaddingField, kCharacters, kRawBytes;
extern const Type kDescriptorNumber, kUserId, kGroupId, kProcessId;
extern const Type kMode, kDevice, kOpenFlagNames, kClock;
extern const Type kTimespec, kTimeval, kSignal, kSignalSet, kSocketDomainNames;

// "CAP_SYS_ADMIN"; null for a number without one.
const char* capability_name(unsigned number);
// Vectors at `address`, of what they name at most `total` bytes.
Value show_io_vector(Scope& scope, uint64_t address, uint64_t count, uint64_t total);
// Flags of open, however they came.
Value open_flags_value(uint64_t flags);
// A classic BPF program: [BPF_STMT(...), BPF_JUMP(...)].
Value bpf_program_at(Scope& scope, uint64_t address, uint64_t count);

}  // namespace sandbox::trace
