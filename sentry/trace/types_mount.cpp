// Mounts, old and new API, swap, quotas.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/quota.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr uint64_t kMagicMask = 0xffff0000;
constexpr Name kMountFlags[] = {{"MS_MGC_VAL", MS_MGC_VAL, kMagicMask},
                                NAME(MS_RDONLY),
                                NAME(MS_NOSUID),
                                NAME(MS_NODEV),
                                NAME(MS_NOEXEC),
                                NAME(MS_SYNCHRONOUS),
                                NAME(MS_REMOUNT),
                                NAME(MS_MANDLOCK),
                                NAME(MS_DIRSYNC),
                                NAME(MS_NOSYMFOLLOW),
                                NAME(MS_NOATIME),
                                NAME(MS_NODIRATIME),
                                NAME(MS_BIND),
                                NAME(MS_MOVE),
                                NAME(MS_REC),
                                NAME(MS_SILENT),
                                NAME(MS_POSIXACL),
                                NAME(MS_UNBINDABLE),
                                NAME(MS_PRIVATE),
                                NAME(MS_SLAVE),
                                NAME(MS_SHARED),
                                NAME(MS_RELATIME),
                                NAME(MS_KERNMOUNT),
                                NAME(MS_I_VERSION),
                                NAME(MS_STRICTATIME),
                                NAME(MS_LAZYTIME),
                                NAME(MS_NOREMOTELOCK),
                                {"MS_NOSEC", 1 << 28},
                                {"MS_BORN", 1 << 29},
                                {"MS_ACTIVE", 1 << 30},
                                {"MS_NOUSER", uint64_t{1} << 31}};
constexpr Name kUmountFlags[] = {
    {"MNT_FORCE", 1}, {"MNT_DETACH", 2}, {"MNT_EXPIRE", 4}, {"UMOUNT_NOFOLLOW", 8}};
constexpr Name kSwapFlags[] = {{"SWAP_FLAG_PREFER", 0x8000},
                               {"SWAP_FLAG_DISCARD", 0x10000},
                               {"SWAP_FLAG_DISCARD_ONCE", 0x20000},
                               {"SWAP_FLAG_DISCARD_PAGES", 0x40000}};
constexpr uint64_t kSwapPriority = 0x7fff;

Value show_swap_flags(Scope&, const Type& type, const Source& source) {
  Value value = flags_value(source.number & 0xffffffff & ~kSwapPriority, type.names, type.unknown);
  value.number = source.number;
  const std::string priority = natural(source.number & kSwapPriority) + "<<SWAP_FLAG_PRIO_SHIFT";
  if ((source.number & kSwapPriority) != 0) value.text += value.text.empty() ? priority : "|" + priority;
  return value;
}

Value show_mount_data(Scope& scope, const Type&, const Source& source) {
  return scope.is_exit() ? Value{} : scope.string(source.number, 4096);
}

constexpr Name kOpenTreeFlags[] = {NAME(OPEN_TREE_CLONE), NAME(OPEN_TREE_CLOEXEC), NAME(AT_SYMLINK_NOFOLLOW),
                                   NAME(AT_NO_AUTOMOUNT), NAME(AT_EMPTY_PATH),     NAME(AT_RECURSIVE)};
constexpr Name kMoveMountFlags[] = {NAME(MOVE_MOUNT_F_SYMLINKS),   NAME(MOVE_MOUNT_F_AUTOMOUNTS),
                                    NAME(MOVE_MOUNT_F_EMPTY_PATH), NAME(MOVE_MOUNT_T_SYMLINKS),
                                    NAME(MOVE_MOUNT_T_AUTOMOUNTS), NAME(MOVE_MOUNT_T_EMPTY_PATH),
                                    NAME(MOVE_MOUNT_SET_GROUP),    {"MOVE_MOUNT_BENEATH", 0x200}};
constexpr Name kFsopenFlags[] = {NAME(FSOPEN_CLOEXEC)};
constexpr Name kFspickFlags[] = {NAME(FSPICK_CLOEXEC), NAME(FSPICK_SYMLINK_NOFOLLOW),
                                 NAME(FSPICK_NO_AUTOMOUNT), NAME(FSPICK_EMPTY_PATH)};
constexpr Name kFsmountFlags[] = {NAME(FSMOUNT_CLOEXEC)};
constexpr Name kMountAttributes[] = {{"MOUNT_ATTR_RELATIME", 0, MOUNT_ATTR__ATIME},
                                     NAME(MOUNT_ATTR_RDONLY),
                                     NAME(MOUNT_ATTR_NOSUID),
                                     NAME(MOUNT_ATTR_NODEV),
                                     NAME(MOUNT_ATTR_NOEXEC),
                                     MASKED_NAME(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
                                     MASKED_NAME(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
                                     NAME(MOUNT_ATTR_NODIRATIME),
                                     NAME(MOUNT_ATTR_IDMAP),
                                     NAME(MOUNT_ATTR_NOSYMFOLLOW)};
constexpr Name kPropagation[] = {NAME(MS_UNBINDABLE), NAME(MS_PRIVATE), NAME(MS_SLAVE), NAME(MS_SHARED)};
constexpr Name kFsconfigCommands[] = {
    {"FSCONFIG_SET_FLAG", 0},   {"FSCONFIG_SET_STRING", 1},      {"FSCONFIG_SET_BINARY", 2},
    {"FSCONFIG_SET_PATH", 3},   {"FSCONFIG_SET_PATH_EMPTY", 4},  {"FSCONFIG_SET_FD", 5},
    {"FSCONFIG_CMD_CREATE", 6}, {"FSCONFIG_CMD_RECONFIGURE", 7}, {"FSCONFIG_CMD_CREATE_EXCL", 8}};

Value show_fsconfig_value(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  switch (scope.argument(1)) {
    case 1:
      return scope.string(source.number, 256);
    case 2:
      return scope.bytes(source.number, scope.argument_after());
    case 3:
    case 4:
      return scope.path(source.number);
    default:
      return Value::address(source.number);
  }
}

Value show_mount_attributes(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0) return Value::address(0);
  const auto attributes = scope.read_prefix<mount_attr>(source.number, scope.argument_after());
  if (!attributes) return Value::address(source.number);
  Value value = Value::structure();
  value.add("attr_set",
            flags_value(attributes->attr_set, std::span(kMountAttributes).subspan(1), "MOUNT_ATTR_???"));
  value.add("attr_clr",
            flags_value(attributes->attr_clr, std::span(kMountAttributes).subspan(1), "MOUNT_ATTR_???"));
  value.add("propagation", flags_value(attributes->propagation, kPropagation, "MS_???"));
  value.add("userns_fd", scope.descriptor(static_cast<int>(attributes->userns_fd)));
  return value;
}

struct MountRequest {  // struct mnt_id_req, Linux 6.8
  uint32_t size, spare;
  uint64_t mnt_id, param;
};
constexpr Field kRequestFields[] = {FIELD(MountRequest, size, kUnsignedNumber),
                                    FIELD(MountRequest, mnt_id, kHexNumber),
                                    FIELD(MountRequest, param, kHexNumber)};
struct MountStatus {  // struct statmount, its beginning
  uint32_t size, mnt_opts;
  uint64_t mask;
  uint32_t sb_dev_major, sb_dev_minor;
  uint64_t sb_magic;
  uint32_t sb_flags, fs_type;
  uint64_t mnt_id, mnt_parent_id;
};
constexpr Field kStatusFields[] = {FIELD(MountStatus, size, kUnsignedNumber),
                                   FIELD(MountStatus, mask, kHexNumber),
                                   FIELD(MountStatus, sb_dev_major, kUnsignedNumber),
                                   FIELD(MountStatus, sb_dev_minor, kUnsignedNumber),
                                   FIELD(MountStatus, sb_magic, kHexNumber),
                                   FIELD(MountStatus, sb_flags, kHexNumber),
                                   FIELD(MountStatus, mnt_id, kHexNumber),
                                   FIELD(MountStatus, mnt_parent_id, kHexNumber)};
constexpr Name kListmountFlags[] = {{"LISTMOUNT_REVERSE", 1}};

// ---- quotas ----
constexpr unsigned kQuotaShift = SUBCMDSHIFT, kQuotaTypeBits = SUBCMDMASK;
constexpr Name kQuotaCommands[] = {NAME(Q_SYNC),     NAME(Q_QUOTAON),  NAME(Q_QUOTAOFF),
                                   NAME(Q_GETFMT),   NAME(Q_GETINFO),  NAME(Q_SETINFO),
                                   NAME(Q_GETQUOTA), NAME(Q_SETQUOTA), NAME(Q_GETNEXTQUOTA)};
constexpr Name kQuotaTypes[] = {NAME(USRQUOTA), NAME(GRPQUOTA), NAME(PRJQUOTA)};
Value show_quota_command(Scope&, const Type&, const Source& source) {
  const auto command = static_cast<uint32_t>(source.number);
  const char* name = name_of(command >> kQuotaShift, 4, kQuotaCommands);
  const char* kind = name_of(command & kQuotaTypeBits, 4, kQuotaTypes);
  return Value::expression("QCMD(" + (name != nullptr ? std::string(name) : hex(command >> kQuotaShift)) +
                               ", " + (kind != nullptr ? std::string(kind) : hex(command & kQuotaTypeBits)) +
                               ")",
                           Value::natural(command));
}
Value show_quota_argument(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  const bool is_path = static_cast<uint32_t>(scope.argument(0)) >> kQuotaShift == (Q_QUOTAON & 0xffffff);
  return is_path ? scope.path(source.number) : Value::address(source.number);
}

constexpr Type kTypes[] = {
    {"MountFlags", show_flags, 0, kMountFlags, "MS_???"},
    {"UmountFlags", show_flags, 0, kUmountFlags, "MNT_???"},
    {"MountData", show_mount_data},
    {"SwapFlags", show_swap_flags, 0, kSwapFlags, "SWAP_FLAG_???"},
    {"OpenTreeFlags", show_flags, 0, kOpenTreeFlags, "OPEN_TREE_???"},
    {"MoveMountFlags", show_flags, 0, kMoveMountFlags, "MOVE_MOUNT_???"},
    {"FsopenFlags", show_flags, 0, kFsopenFlags, "FSOPEN_???"},
    {"FspickFlags", show_flags, 0, kFspickFlags, "FSPICK_???"},
    {"FsmountFlags", show_flags, 0, kFsmountFlags, "FSMOUNT_???"},
    {"MountAttributes", show_flags, 0, kMountAttributes, "MOUNT_ATTR_???"},
    {"MountAttributesPtr", show_mount_attributes},
    {"FsconfigCommand", show_choice, 0, kFsconfigCommands, "FSCONFIG_???"},
    {"FsconfigValue", show_fsconfig_value},
    {"MountIdRequest", show_structure, sizeof(MountRequest), {}, "", kRequestFields},
    {"StatmountHeader", show_structure, sizeof(MountStatus), {}, "", kStatusFields},
    {"ListmountFlags", show_flags, 0, kListmountFlags, "LISTMOUNT_???"},
    {"QuotactlCommand", show_quota_command},
    {"QuotactlArgument", show_quota_argument},
};
constexpr Names kMoreNames[] = {kQuotaCommands};

}  // namespace

Family mount_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
