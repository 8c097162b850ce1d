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

}  // namespace sandbox::trace
