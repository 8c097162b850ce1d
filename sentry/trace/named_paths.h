// The paths that a call names, made absolute by its directory descriptors or the working directory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sentry/trace/event.h"

namespace sandbox::trace {

// `path` below `base`, without looking at the file system: ".." stays.
std::string joined_path(std::string_view base, std::string_view path);

// One for each argument that is a path, in order; "" for one that could not be read. At the call's entry.
std::vector<std::string> named_paths(const DecodedCall& call, DescriptorNames& names);

}  // namespace sandbox::trace
