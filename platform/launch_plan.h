// PreparedPlan: a LaunchPlan together with what it points to.
#pragma once

#include <string>
#include <vector>

#include "platform/launch_child.h"

namespace sandbox::platform {

struct PreparedPlan {
  // Keeps a reference to `options`. The channel and the reserved socket are the caller's to fill in.
  explicit PreparedPlan(const LaunchOptions& options);
  PreparedPlan(const PreparedPlan&) = delete;
  PreparedPlan& operator=(const PreparedPlan&) = delete;

  LaunchPlan plan{};

 private:
  std::vector<int> copies_;
  std::string clock_offsets_;
  std::vector<sock_filter> tracing_filter_, profile_;
};

}  // namespace sandbox::platform
