// Host resources: a ResourceView that shows the host's own numbers, without its device names.
#pragma once

#include <memory>

#include "sandbox/resource_view.h"
#include "sandbox/unique_fd.h"

namespace sandbox::vfs {

// `host_proc` is an open directory of the host's /proc that outlives the view; `host_sys` one of its
// /sys (not open: CPU attributes answer ENOENT).
std::unique_ptr<ResourceView> create_host_resources(int host_proc, UniqueFd host_sys);

}  // namespace sandbox::vfs
