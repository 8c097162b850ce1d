// Follows a path's components in a tree that has no links but the last.
#include "sentry/scratch_path.h"

#include <algorithm>
#include <set>

#include "sandbox/path_components.h"

namespace sandbox {

namespace {

std::string joined(const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& component : components) path.append("/").append(component);
  return path;
}

}  // namespace

ScratchPath scratch_path_for(std::string_view path) {
  bool is_absolute = path.starts_with('/');
  const std::vector<std::string_view> components = path_components(path);
  std::vector<std::string> walked(components.begin(), components.end());
  walked.pop_back();
  if (walked.empty())
    return {.kind = is_absolute ? ScratchPath::Kind::kInRoot : ScratchPath::Kind::kInWorkingDirectory};
  if (walked.back() == "..") return {.kind = ScratchPath::Kind::kImpossible};

  // Names of ours are longer than any of the path's.
  size_t longest = 0;
  for (const std::string& component : walked) longest = std::max(longest, component.size());
  ScratchPath result{.kind = ScratchPath::Kind::kInScratch};
  result.proc_directory = "/" + std::string(longest + 1, 'p');

  std::vector<std::string> at;
  std::set<std::string> made;
  auto make = [&](std::string directory) {
    if (made.insert(directory).second) result.directories.push_back(std::move(directory));
  };
  if (!is_absolute) {
    // Deep enough that no ".." meets the root.
    for (size_t depth = std::ranges::count(walked, ".."); depth > 0; --depth) {
      at.emplace_back(longest + 1, 'w');
      make(joined(at));
    }
  }
  result.working_directory = at.empty() ? "/" : joined(at);

  for (size_t index = 0; index < walked.size(); ++index) {
    if (walked[index] == "..") {
      if (!at.empty()) at.pop_back();
      continue;
    }
    at.push_back(walked[index]);
    if (index + 1 < walked.size()) make(joined(at));
  }
  result.link = joined(at);
  if (made.contains(result.link)) result.kind = ScratchPath::Kind::kImpossible;
  return result;
}

}  // namespace sandbox
