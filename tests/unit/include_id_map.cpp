// Tests IdMap: translation, and the part of a map that another namespace has.
#include <catch2/catch.hpp>

#include "sandbox/id_map.h"

using sandbox::IdMap;

TEST_CASE("what of a map another namespace has keeps its inside ids") {
  const IdMap wanted({{0, 100, 10}, {50, 500, 5}, {70, 900, 1}});
  const IdMap parent({{105, 0, 10}, {500, 20, 2}, {503, 40, 100}});
  const IdMap kept = wanted.within(parent);
  CHECK(kept.to_outside(5) == 105u);
  CHECK(kept.to_outside(9) == 109u);
  CHECK_FALSE(kept.to_outside(4));
  CHECK_FALSE(kept.to_outside(10));
  CHECK(kept.to_outside(51) == 501u);
  CHECK_FALSE(kept.to_outside(52));
  CHECK(kept.to_outside(53) == 503u);
  CHECK_FALSE(kept.to_outside(70));
  CHECK(wanted.within(IdMap::identity()).ranges().size() == 3);
}

TEST_CASE("outside ids are known up to the last of a range") {
  const IdMap map({{0, 100, 10}, {20, UINT32_MAX - 2, 2}});
  CHECK(map.has_outside(100));
  CHECK(map.has_outside(109));
  CHECK(map.has_outside(UINT32_MAX - 1));
  CHECK_FALSE(map.has_outside(99));
  CHECK_FALSE(map.has_outside(110));
  CHECK_FALSE(map.has_outside(UINT32_MAX));
}
