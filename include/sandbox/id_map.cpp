// Translation of ids through the ranges of an IdMap.
#include "sandbox/id_map.h"

namespace sandbox {

uint32_t IdMap::to_inside(uint32_t outside) const {
  for (const Range& range : ranges_) {
    if (outside - range.outside < range.count) return range.inside + (outside - range.outside);
  }
  // Ids nobody has inside must not be taken for the one who is number 65534 there.
  return to_outside(kOverflowId) ? kOverflowId - 1 : kOverflowId;
}

std::optional<uint32_t> IdMap::to_outside(uint32_t inside) const {
  for (const Range& range : ranges_) {
    if (inside - range.inside < range.count) return range.outside + (inside - range.inside);
  }
  return std::nullopt;
}

}  // namespace sandbox
