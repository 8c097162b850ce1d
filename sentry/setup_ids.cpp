// The workload's ids and maps.
#include "sentry/setup_ids.h"

#include <unistd.h>

#include <algorithm>

namespace sandbox {

namespace {

bool has_id(const IdMap& map, uint32_t id) { return map.to_outside(id).has_value(); }

// Root's, those of services and users, and nobody's.
bool has_usual_ids(const IdMap& map) {
  return has_id(map, 0) && has_id(map, 1000) && has_id(map, IdMap::kOverflowId);
}

// Ids are the same numbers in the sentry's and in the workload's namespace wherever the sentry has them.
IdMap map_for(uint32_t id, const IdMap& sentry, uint32_t own_id) {
  if (!has_id(sentry, id)) return IdMap({{id, own_id, 1}});
  std::vector<IdMap::Range> ranges;
  for (const IdMap::Range& range : sentry.ranges())
    ranges.push_back({range.inside, range.inside, range.count});
  return IdMap(std::move(ranges));
}

// The number the caller of the sandbox knows for an id of the sentry's.
uint32_t host_id(const IdMap& sentry, uint32_t id) { return sentry.to_outside(id).value_or(id); }

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(std::max(0, ::getgroups(0, nullptr)));
  int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(std::max(0, count));
  return groups;
}

}  // namespace

Configured<WorkloadIds> workload_ids(const SandboxConfig& config,
                                     const platform::SentryNamespaces& namespaces) {
  WorkloadIds ids;
  ids.uid = config.user ? config.user->uid : host_id(namespaces.uid_map, ::geteuid());
  ids.gid = config.user ? config.user->gid : host_id(namespaces.gid_map, ::getegid());
  ids.groups = config.user ? config.user->groups : own_groups();
  const bool has_every_id =
      ::geteuid() == 0 && has_usual_ids(namespaces.uid_map) && has_usual_ids(namespaces.gid_map);
  if (!config.layers.empty() && !has_every_id) {
    ids.keeper = platform::IdKeeper::kSentry;
    ids.uid_map = IdMap({{0, ::geteuid(), 1}});
    ids.gid_map = IdMap({{0, ::getegid(), 1}});
    return ids;
  }
  ids.uid_map = map_for(ids.uid, namespaces.uid_map, ::geteuid());
  ids.gid_map = map_for(ids.gid, namespaces.gid_map, ::getegid());
  if (config.container && config.container->uid_map) ids.uid_map = *config.container->uid_map;
  if (config.container && config.container->gid_map) ids.gid_map = *config.container->gid_map;
  // Groups without a number inside cannot be given; the kernel would show them as 65534.
  std::erase_if(ids.groups, [&](gid_t group) { return !has_id(ids.gid_map, group); });
  return ids;
}

}  // namespace sandbox
