// The platform's HostMounter, for a process that has entered its sentry namespaces.
#pragma once

#include <memory>

#include "sandbox/host_mounter.h"

namespace sandbox::platform {

// How flags are put on every mount of a copied tree.
enum class TreeFlagsMethod {
  kProbe,        // the first of the two that the kernel has
  kSetattr,      // mount_setattr(2), Linux 5.12
  kRemountEach,  // a bind remount of each mount, in a mount namespace of a helper process
};

std::unique_ptr<HostMounter> make_host_mounter(TreeFlagsMethod method = TreeFlagsMethod::kProbe);

}  // namespace sandbox::platform
