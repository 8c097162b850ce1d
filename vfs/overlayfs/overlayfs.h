// overlayfs: one tree out of a writable upper layer over any number of read-only lower ones.
#pragma once

#include "vfs/core/filesystem.h"
#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {

// Whether layers other than the upper may be reached in ways that leave the sandbox.
enum class LowerSockets { kRefused, kReachable };

// Whether a ".wh." name in a single lower is a marker, too.
enum class LowerMarkers { kAmongSeveral, kAlways };

struct OverlayOptions {
  // O_PATH of a directory that holds, or gets, "upper" (the layer, in the form of the kernel's overlayfs
  // mounted with userxattr) and "work" (ours, emptied at the start); both on one mount. Not open: read-only.
  UniqueFd upper;
  // O_PATH of directories, topmost first. With more than one, OCI's ".wh." markers are understood in them.
  std::vector<UniqueFd> lowers;
  std::string source = "overlay";
  // kTrust only when nobody outside the sandbox changes a lower; the upper is always ours alone.
  CachePolicy policy = CachePolicy::kRevalidate;
  // `owners.record`: of the upper; `lower_record`: of the lowers, null where their owners are the host's.
  OwnerMaps owners;
  const char* lower_record = nullptr;
  LowerSockets lower_sockets = LowerSockets::kRefused;
  LowerMarkers lower_markers = LowerMarkers::kAmongSeveral;
};

// Errors: EINVAL (no layer at all), EBUSY (another sandbox uses this upper), ENOTDIR, EACCES, ENOSPC.
Result<std::shared_ptr<Filesystem>> create_overlayfs(OverlayOptions options);

}  // namespace sandbox::vfs
