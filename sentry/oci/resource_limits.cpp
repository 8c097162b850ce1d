// Names of limits, and room for them.
#include "sentry/oci/resource_limits.h"

#include <algorithm>

namespace sandbox::oci {

namespace {

struct Row {
  const char* name;
  int number;
};
constexpr Row kRows[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},         {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},     {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},     {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_STACK", RLIMIT_STACK},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
};

const char* name_of_resource(int number) {
  auto row = std::ranges::find(kRows, number, &Row::number);
  return row == std::end(kRows) ? "RLIMIT_?" : row->name;
}

}  // namespace

std::optional<int> resource_number(const std::string& name) {
  for (const Row& row : kRows)
    if (name == row.name) return row.number;
  return std::nullopt;
}

Configured<std::vector<platform::ResourceLimit>> raise_hard_limits(
    const std::vector<platform::ResourceLimit>& limits, ContainerConfig::LimitsAbove above) {
  std::vector<platform::ResourceLimit> possible;
  for (platform::ResourceLimit wanted : limits) {
    // The workload is told of it, and that needs no right.
    if (wanted.resource == RLIMIT_CORE) {
      possible.push_back(wanted);
      continue;
    }
    auto resource = static_cast<__rlimit_resource>(wanted.resource);
    rlimit own{};
    if (::getrlimit(resource, &own) < 0) continue;
    const rlimit raised{own.rlim_cur, wanted.limit.rlim_max};
    if (wanted.limit.rlim_max > own.rlim_max && ::setrlimit(resource, &raised) < 0) {
      if (above == ContainerConfig::LimitsAbove::kFail)
        return failure(fmt::format("set {} to {}", name_of_resource(wanted.resource), wanted.limit.rlim_max),
                       fmt::format("{}; the caller's own hard limit is {}", reason_in_words(Errno::last()),
                                   own.rlim_max),
                       "a smaller limit (podman: default_ulimits in containers.conf; docker: "
                       "default-ulimits), or CAP_SYS_RESOURCE for the engine");
      wanted.limit.rlim_max = own.rlim_max;
      wanted.limit.rlim_cur = std::min(wanted.limit.rlim_cur, own.rlim_max);
    }
    possible.push_back(wanted);
  }
  return possible;
}

}  // namespace sandbox::oci
