// devfs: /dev of the sandbox, whose few devices are the host's own; and devpts, its terminals.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "sandbox/kernel_view.h"
#include "vfs/core/filesystem.h"

namespace sandbox::vfs {

struct DevfsOptions {
  KernelView& kernel;
  // A directory with the host's null, zero, full, random, urandom and tty, on a mount where devices work.
  UniqueFd host_devices;
  // The root of the sandbox's own devpts; not open: no ptmx, and /dev/tty only as the sentry's terminal.
  UniqueFd terminals;
  // The terminal that becomes /dev/console; not open: there is none.
  UniqueFd console;
  // More devices, by their path below the file system's root ("net/tun"), and a descriptor of each (O_PATH).
  struct Extra {
    std::string path;
    UniqueFd object;
  };
  std::vector<Extra> extra;
};

// The nodes are fixed: nothing can be made or removed in it, apart from what is mounted on its empty
// directories pts, shm and mqueue. A device that the host lacks is left out.
std::shared_ptr<Filesystem> create_devfs(DevfsOptions options);

// `terminals` is the root of a devpts instance (HostMounter::new_devpts), to be mounted on /dev/pts.
// Opening ptmx makes a terminal that belongs to the caller.
std::shared_ptr<Filesystem> create_devpts(KernelView& kernel, UniqueFd terminals);

}  // namespace sandbox::vfs
