// The one rule of which CPUs a thread sees itself allowed on.
#include "sandbox/resource_view.h"

#include <algorithm>
#include <iterator>

namespace sandbox {

std::vector<int> affinity_inside(const std::vector<int>& real, const std::vector<int>& shown) {
  std::vector<int> both;
  std::ranges::set_intersection(real, shown, std::back_inserter(both));
  if (!both.empty()) return both;
  // It was put where the sandbox is not shown to reach: before its quota got smaller, or from outside.
  return {real.begin(), real.begin() + static_cast<ptrdiff_t>(std::min(real.size(), shown.size()))};
}

}  // namespace sandbox
