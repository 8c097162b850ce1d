// OwnerRecord: owner, mode and device number of an object that the host cannot give them to, as text of an
// extended attribute.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sandbox::vfs {

// On the host's files; what podman, buildah and fuse-overlayfs write and read, too.
constexpr const char* kOwnerRecordXattr = "user.containers.override_stat";
// File capabilities that the host did not let us set, as security.capability has them.
constexpr const char* kCapabilityRecordXattr = "user.sandbox.capability";

struct OwnerRecord {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;   // 07777; S_IFMT is S_IFCHR or S_IFBLK where an empty file stands for a device, else 0
  dev_t device = 0;  // of a device

  bool is_device() const { return mode & 0170000; }
  bool operator==(const OwnerRecord&) const = default;

  // "0:42:0640", and of devices "0:6:0660:block-8-1".
  std::string text() const;
  // Understands the forms of others: a mode with its type, a fourth field that names the type. Nothing for
  // what is none of them.
  static std::optional<OwnerRecord> parse(std::string_view text);
};

// The same on a tmpfs of ours, where user.* needs Linux 6.6 and never suits links, FIFOs and sockets.
constexpr const char* kMemoryOwnerRecordXattr = "security.sandbox.override_stat";

// Whether an attribute is bookkeeping of records, which a workload must neither see nor change.
bool is_record_xattr(std::string_view attribute);

// What the host's own mode must be for the sentry's user to work with an object that is shown with `mode`.
mode_t mode_on_host(mode_t mode);

}  // namespace sandbox::vfs
