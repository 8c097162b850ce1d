// Group membership of Credentials.
#include "sandbox/credentials.h"

#include <algorithm>

namespace sandbox {

bool Credentials::is_in_group(gid_t group) const {
  return group == fsgid || std::binary_search(groups.begin(), groups.end(), group);
}

}  // namespace sandbox
