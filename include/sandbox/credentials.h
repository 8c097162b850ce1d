// Credentials: what permission checks look at, as the workload's user namespace numbers it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace sandbox {

// capabilities(7), a bit each: bit N is capability N.
struct CapabilitySets {
  uint64_t bounding = 0, permitted = 0, effective = 0, inheritable = 0, ambient = 0;
  bool operator==(const CapabilitySets&) const = default;
};

// The Linux analogue is struct cred (credentials(7)). One immutable snapshot is shared by readers.
struct Credentials {
  uid_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  gid_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::vector<gid_t> groups;    // supplementary, sorted
  uint64_t effective_caps = 0;  // bit N is capability N (capabilities(7))
  uint64_t permitted_caps = 0;

  // Those of a process that has one user and one group.
  static Credentials of(uid_t uid, gid_t gid, std::vector<gid_t> groups);

  bool has_capability(int capability) const { return (effective_caps >> capability) & 1; }
  bool is_in_group(gid_t group) const;
};

}  // namespace sandbox
