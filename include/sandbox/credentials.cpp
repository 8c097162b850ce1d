// Making Credentials, and their group membership.
#include "sandbox/credentials.h"

#include <algorithm>

namespace sandbox {

Credentials Credentials::of(uid_t uid, gid_t gid, std::vector<gid_t> groups) {
  std::ranges::sort(groups);
  return {.uid = uid,
          .euid = uid,
          .suid = uid,
          .fsuid = uid,
          .gid = gid,
          .egid = gid,
          .sgid = gid,
          .fsgid = gid,
          .groups = std::move(groups)};
}

bool Credentials::is_in_group(gid_t group) const {
  return group == fsgid || std::binary_search(groups.begin(), groups.end(), group);
}

}  // namespace sandbox
