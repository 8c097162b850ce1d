// What the new processes need, computed before they are forked.
#include "platform/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/filter.h"
#include "platform/inside_images.h"
#include "platform/namespace_kind.h"
#include "platform/seccomp_profile.h"

namespace sandbox::platform {

PreparedPlan::PreparedPlan(const LaunchOptions& options) : copies_(options.descriptors.size()) {
  plan.options = &options;
  plan.loader = loader_image();
  plan.init = init_image();
  plan.filter = filter_for(options.engine, options.id_keeper);
  // With a profile the tracer must know when the loader ends, even if it traces nothing.
  if (options.observer != nullptr || options.profile != nullptr) {
    tracing_filter_ = tracing_filter_for(options.engine, options.id_keeper,
                                         options.observer != nullptr ? options.traced : CallSet{});
    plan.filter = tracing_filter_;
  }
  if (options.profile != nullptr) {
    using Reports = SeccompFilter::Reports;
    profile_ = options.profile->program(
        options.engine, options.profile_observer != nullptr ? Reports::kReported : Reports::kSilent);
    plan.profile = profile_;
    plan.profile_flags = options.profile->flags();
  }
  plan.groups = options.groups;
  plan.descriptors = options.descriptors;
  plan.copies = copies_;
  plan.highest_target = 2;
  for (const PassedFd& passed : options.descriptors)
    plan.highest_target = std::max(plan.highest_target, passed.target);
  for (size_t i = 0; i < kOptionalNamespaceCount; ++i) {
    bool is_wanted =
        std::ranges::find(options.namespaces, kOptionalNamespaces[i]) != options.namespaces.end();
    plan.unshare_flags[i] = is_wanted ? clone_flag(kOptionalNamespaces[i]) : 0;
  }
  for (const ClockOffset& offset : options.clock_offsets)
    fmt::format_to(std::back_inserter(clock_offsets_), "{} {} {}\n", offset.clock, offset.seconds,
                   offset.nanoseconds);
  plan.clock_offsets = clock_offsets_;
  plan.reserved_socket = -1;
  plan.reserved_number = kReservedFd;
  plan.channel = -1;
}

}  // namespace sandbox::platform
