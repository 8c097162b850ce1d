// Words of the specification as set_mempolicy takes them.
#include "tools/oci/memory_policy.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace sandbox::tools::oci {

namespace {

constexpr int kWeightedInterleave = 6;  // MPOL_WEIGHTED_INTERLEAVE, Linux 6.9
constexpr Word<int> kModes[] = {
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_WEIGHTED_INTERLEAVE", kWeightedInterleave},
};
constexpr Word<int> kFlags[] = {
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};
constexpr int kMostNodes = 1024;  // MAX_NUMNODES of the largest kernels
constexpr int kBits = sizeof(unsigned long) * CHAR_BIT;

}  // namespace

std::optional<MemoryPolicy> read_memory_policy(const JsonNode& node) {
  if (!node) return std::nullopt;
  MemoryPolicy policy{.mode = choose(node["mode"], kModes)};
  for (const JsonNode& flag : node["flags"].items()) policy.mode |= choose(flag, kFlags);
  policy.nodes = read_number_list(node["nodes"]);
  for (int number : policy.nodes)
    if (number >= kMostNodes) node["nodes"].fail(fmt::format("there is no node {}", number));
  return policy;
}

Configured<void> apply_memory_policy(const std::optional<MemoryPolicy>& policy) {
  if (!policy) return {};
  std::vector<unsigned long> mask(kMostNodes / kBits);
  for (int node : policy->nodes) mask[node / kBits] |= 1UL << (node % kBits);
  // The kernel takes one bit less than it is told (mm/mempolicy.c: get_nodes).
  const bool has_nodes = !policy->nodes.empty();
  if (::syscall(SYS_set_mempolicy, policy->mode, has_nodes ? mask.data() : nullptr,
                has_nodes ? kMostNodes + 1 : 0) == 0)
    return {};
  return failure("set linux.memoryPolicy", Errno::last(),
                 "a policy that this kernel has, and nodes of this machine: /sys/devices/system/node");
}

}  // namespace sandbox::tools::oci
