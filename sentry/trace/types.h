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

inline constexpr size_t kMaxShownPath = 4096;

}  // namespace sandbox::trace
