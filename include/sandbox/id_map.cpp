// Translation of ids through the ranges of an IdMap.
#include "sandbox/id_map.h"

#include <algorithm>

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

bool IdMap::has_outside(uint32_t outside) const {
  return std::ranges::any_of(ranges_,
                             [&](const Range& range) { return outside - range.outside < range.count; });
}

IdMap IdMap::within(const IdMap& parent) const {
  std::vector<Range> kept;
  for (const Range& range : ranges_) {
    for (const Range& have : parent.ranges_) {
      const uint64_t begin = std::max(range.outside, have.inside);
      const uint64_t end =
          std::min(uint64_t{range.outside} + range.count, uint64_t{have.inside} + have.count);
      if (begin < end)
        kept.push_back({range.inside + static_cast<uint32_t>(begin - range.outside),
                        static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)});
    }
  }
  return IdMap(std::move(kept));
}

}  // namespace sandbox
