// IdMap: translates user or group ids between the sentry's user namespace and the workload's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace sandbox {

// As /proc/PID/uid_map (user_namespaces(7)); an id without a place in the map shows as 65534, or as
// 65533 where 65534 is somebody.
class IdMap {
 public:
  struct Range {
    uint32_t inside, outside, count;
  };
  static constexpr uint32_t kOverflowId = 65534;

  static IdMap identity() { return IdMap({{0, 0, UINT32_MAX}}); }
  explicit IdMap(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

  // What the workload sees for an id the sentry sees. Never fails: see above.
  uint32_t to_inside(uint32_t outside) const;
  // What the sentry must use for an id the workload names; nothing when unmapped (EINVAL to chown).
  std::optional<uint32_t> to_outside(uint32_t inside) const;
  bool has_outside(uint32_t outside) const;
  // The part of it whose outside ids are inside of `parent`.
  IdMap within(const IdMap& parent) const;
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range> ranges_;
};

}  // namespace sandbox
