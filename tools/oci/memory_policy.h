// linux.memoryPolicy: on which nodes of the machine a container's memory is (set_mempolicy(2)).
#pragma once

#include <vector>

#include "tools/oci/json_node.h"

namespace sandbox::tools::oci {

struct MemoryPolicy {
  int mode = 0;  // MPOL_*, and MPOL_F_*
  std::vector<int> nodes;
};

// Nothing: there is none. What is wrong is noted in the node's problems.
std::optional<MemoryPolicy> read_memory_policy(const JsonNode& node);

// For the calling process and what it forks. Failures: the kernel has no such policy, or the machine no such
// node.
Configured<void> apply_memory_policy(const std::optional<MemoryPolicy>& policy);

}  // namespace sandbox::tools::oci
