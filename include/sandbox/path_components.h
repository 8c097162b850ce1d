// The names that a path is made of.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace sandbox {

// "/a/./b//.." is "a", "b" and "..": without empty names and ".". They are parts of `path`.
inline std::vector<std::string_view> path_components(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(component.size() + 1, path.size()));
    if (!component.empty() && component != ".") components.push_back(component);
  }
  return components;
}

}  // namespace sandbox
