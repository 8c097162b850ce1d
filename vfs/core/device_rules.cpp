// Applying rules in their order.
#include "vfs/core/device_rules.h"

#include <unistd.h>

namespace sandbox::vfs {

Result<void> DeviceRules::check(mode_t type, unsigned major, unsigned minor, int access) const {
  int allowed = R_OK | W_OK;
  for (const DeviceRule& rule : rules_) {
    const bool covers = (rule.type == 0 || rule.type == type) && rule.major.value_or(major) == major &&
                        rule.minor.value_or(minor) == minor;
    if (!covers) continue;
    if (rule.verdict == DeviceRule::Verdict::kAllow)
      allowed |= rule.access;
    else
      allowed &= ~rule.access;
  }
  if ((access & ~allowed) != 0) return err(EPERM);
  return {};
}

}  // namespace sandbox::vfs
