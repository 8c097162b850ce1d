// DeviceRules: which devices may be opened, as a control group's list of devices decides it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "sandbox/result.h"

namespace sandbox::vfs {

struct DeviceRule {
  enum class Verdict { kDeny, kAllow } verdict = Verdict::kDeny;
  mode_t type = 0;  // S_IFCHR or S_IFBLK; 0: both
  std::optional<unsigned> major, minor;
  int access = 0;  // R_OK and W_OK
};

// security/device_cgroup.c: the latest rule that covers a device decides, for reading and writing by itself.
class DeviceRules {
 public:
  // Without a rule that covers it a device may be opened.
  DeviceRules() = default;
  explicit DeviceRules(std::vector<DeviceRule> rules) : rules_(std::move(rules)) {}

  // `access`: R_OK|W_OK. Errors: EPERM.
  Result<void> check(mode_t type, unsigned major, unsigned minor, int access) const;

 private:
  std::vector<DeviceRule> rules_;
};

}  // namespace sandbox::vfs
