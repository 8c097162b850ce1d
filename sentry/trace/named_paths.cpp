// Joining paths.
#include "sentry/trace/named_paths.h"

#include <fcntl.h>

namespace sandbox::trace {

std::string joined_path(std::string_view base, std::string_view path) {
  if (path.starts_with('/') || base.empty()) return std::string(path);
  std::string full(base);
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty() || path == ".") return full;
  if (!full.ends_with('/')) full += '/';
  full += path;
  return full;
}

std::vector<std::string> named_paths(const DecodedCall& call, DescriptorNames& names) {
  std::vector<std::string> paths;
  if (call.row == nullptr) return paths;
  const auto arguments = call.row->arguments();
  for (size_t i = 0; i < arguments.size() && i < call.arguments.size(); ++i) {
    if (arguments[i].kind != ArgumentKind::kPath) continue;
    const auto text = call.arguments[i].as_string();
    const bool has_anchor = i > 0 && arguments[i - 1].kind == ArgumentKind::kDescriptor;
    const int anchor = has_anchor ? static_cast<int>(call.registers[i - 1]) : AT_FDCWD;
    std::string base;
    if (text && !text->starts_with('/'))
      base = anchor == AT_FDCWD ? names.working_directory() : names.describe(anchor);
    paths.push_back(text ? joined_path(base, *text) : "");
  }
  return paths;
}

}  // namespace sandbox::trace
