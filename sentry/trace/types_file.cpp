// Files: open, stat, statx, statfs, at-flags, modes, directory entries.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utime.h>

#include <ctime>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

// glibc shows O_LARGEFILE as 0, but the kernel has the bit.
constexpr uint64_t kLargeFile = 0100000;
constexpr uint64_t kSyncBits = 04010000, kTemporaryFileBits = 020200000;

// In strace's order.
constexpr Name kOpenFlags[] = {MASKED_NAME(O_RDONLY, O_ACCMODE),
                               MASKED_NAME(O_WRONLY, O_ACCMODE),
                               MASKED_NAME(O_RDWR, O_ACCMODE),
                               MASKED_NAME(O_ACCMODE, O_ACCMODE),
                               NAME(O_CREAT),
                               NAME(O_EXCL),
                               NAME(O_NOCTTY),
                               NAME(O_TRUNC),
                               NAME(O_APPEND),
                               NAME(O_NONBLOCK),
                               {"O_SYNC", kSyncBits},
                               NAME(O_DSYNC),
                               NAME(O_DIRECT),
                               {"O_LARGEFILE", kLargeFile},
                               NAME(O_NOFOLLOW),
                               NAME(O_NOATIME),
                               NAME(O_CLOEXEC),
                               NAME(O_PATH),
                               {"O_TMPFILE", kTemporaryFileBits},
                               NAME(O_DIRECTORY),
                               NAME(O_ASYNC)};

constexpr Name kResolveFlags[] = {NAME(RESOLVE_NO_XDEV),     NAME(RESOLVE_NO_MAGICLINKS),
                                  NAME(RESOLVE_NO_SYMLINKS), NAME(RESOLVE_BENEATH),
                                  NAME(RESOLVE_IN_ROOT),     NAME(RESOLVE_CACHED)};

constexpr Name kAccessModes[] = {{"F_OK", 0, 7}, NAME(R_OK), NAME(W_OK), NAME(X_OK)};

// 0x200 means two things: its name depends on the call.
constexpr Name kAtFlags[] = {NAME(AT_SYMLINK_NOFOLLOW), NAME(AT_REMOVEDIR),  NAME(AT_SYMLINK_FOLLOW),
                             NAME(AT_NO_AUTOMOUNT),     NAME(AT_EMPTY_PATH), NAME(AT_STATX_FORCE_SYNC),
                             NAME(AT_STATX_DONT_SYNC),  NAME(AT_RECURSIVE)};
constexpr Name kStatxAtFlags[] = {{"AT_STATX_SYNC_AS_STAT", 0, AT_STATX_SYNC_TYPE},
                                  MASKED_NAME(AT_STATX_FORCE_SYNC, AT_STATX_SYNC_TYPE),
                                  MASKED_NAME(AT_STATX_DONT_SYNC, AT_STATX_SYNC_TYPE),
                                  NAME(AT_SYMLINK_NOFOLLOW),
                                  NAME(AT_NO_AUTOMOUNT),
                                  NAME(AT_EMPTY_PATH)};
constexpr Name kAccessAtFlags[] = {NAME(AT_SYMLINK_NOFOLLOW), NAME(AT_EACCESS), NAME(AT_EMPTY_PATH)};
// Newer than the oldest header we build with.
constexpr Name kHandleAtFlags[] = {NAME(AT_SYMLINK_FOLLOW),
                                   NAME(AT_EMPTY_PATH),
                                   {"AT_HANDLE_FID", 0x200},
                                   {"AT_HANDLE_MNT_ID_UNIQUE", 1},
                                   {"AT_HANDLE_CONNECTABLE", 2}};
constexpr Name kExecAtFlags[] = {
    NAME(AT_SYMLINK_NOFOLLOW), NAME(AT_EMPTY_PATH), {"AT_EXECVE_CHECK", 0x10000}};

constexpr Name kWhences[] = {NAME(SEEK_SET), NAME(SEEK_CUR), NAME(SEEK_END), NAME(SEEK_DATA),
                             NAME(SEEK_HOLE)};

constexpr Name kFallocateModes[] = {NAME(FALLOC_FL_KEEP_SIZE),     NAME(FALLOC_FL_PUNCH_HOLE),
                                    NAME(FALLOC_FL_NO_HIDE_STALE), NAME(FALLOC_FL_COLLAPSE_RANGE),
                                    NAME(FALLOC_FL_ZERO_RANGE),    NAME(FALLOC_FL_INSERT_RANGE),
                                    NAME(FALLOC_FL_UNSHARE_RANGE), {"FALLOC_FL_WRITE_ZEROES", 0x80}};

constexpr Name kAdvice[] = {NAME(POSIX_FADV_NORMAL),   NAME(POSIX_FADV_RANDOM),   NAME(POSIX_FADV_SEQUENTIAL),
                            NAME(POSIX_FADV_WILLNEED), NAME(POSIX_FADV_DONTNEED), NAME(POSIX_FADV_NOREUSE)};

constexpr Name kRenameFlags[] = {NAME(RENAME_NOREPLACE), NAME(RENAME_EXCHANGE), NAME(RENAME_WHITEOUT)};

constexpr Name kStatxMask[] = {
    // The two sums first: strace's way.
    NAME(STATX_ALL),
    NAME(STATX_BASIC_STATS),
    NAME(STATX_TYPE),
    NAME(STATX_MODE),
    NAME(STATX_NLINK),
    NAME(STATX_UID),
    NAME(STATX_GID),
    NAME(STATX_ATIME),
    NAME(STATX_MTIME),
    NAME(STATX_CTIME),
    NAME(STATX_INO),
    NAME(STATX_SIZE),
    NAME(STATX_BLOCKS),
    NAME(STATX_BTIME),
    NAME(STATX_MNT_ID),
    {"STATX_DIOALIGN", 0x2000},
    {"STATX_MNT_ID_UNIQUE", 0x4000},
    {"STATX_SUBVOL", 0x8000},
    {"STATX_WRITE_ATOMIC", 0x10000},
    {"STATX_DIO_READ_ALIGN", 0x20000}};

constexpr Name kStatxAttributes[] = {NAME(STATX_ATTR_COMPRESSED), NAME(STATX_ATTR_IMMUTABLE),
                                     NAME(STATX_ATTR_APPEND),     NAME(STATX_ATTR_NODUMP),
                                     NAME(STATX_ATTR_ENCRYPTED),  NAME(STATX_ATTR_AUTOMOUNT),
                                     NAME(STATX_ATTR_MOUNT_ROOT), NAME(STATX_ATTR_VERITY),
                                     NAME(STATX_ATTR_DAX),        {"STATX_ATTR_WRITE_ATOMIC", 0x400000}};

constexpr Name kSyncRangeFlags[] = {NAME(SYNC_FILE_RANGE_WAIT_BEFORE), NAME(SYNC_FILE_RANGE_WRITE),
                                    NAME(SYNC_FILE_RANGE_WAIT_AFTER)};
constexpr Name kSpliceFlags[] = {NAME(SPLICE_F_MOVE), NAME(SPLICE_F_NONBLOCK), NAME(SPLICE_F_MORE),
                                 NAME(SPLICE_F_GIFT)};
constexpr Name kReadWriteFlags[] = {NAME(RWF_HIPRI),      NAME(RWF_DSYNC),        NAME(RWF_SYNC),
                                    NAME(RWF_NOWAIT),     NAME(RWF_APPEND),       {"RWF_NOAPPEND", 0x20},
                                    {"RWF_ATOMIC", 0x40}, {"RWF_DONTCACHE", 0x80}};

constexpr Name kFileTypes[] = {NAME(S_IFREG), NAME(S_IFDIR), NAME(S_IFLNK), NAME(S_IFCHR),
                               NAME(S_IFBLK), NAME(S_IFIFO), NAME(S_IFSOCK)};

constexpr Name kMagics[] = {NAME(ANON_INODE_FS_MAGIC),
                            NAME(BINFMTFS_MAGIC),
                            NAME(BPF_FS_MAGIC),
                            NAME(BTRFS_SUPER_MAGIC),
                            NAME(CGROUP2_SUPER_MAGIC),
                            NAME(CGROUP_SUPER_MAGIC),
                            NAME(DEBUGFS_MAGIC),
                            NAME(DEVPTS_SUPER_MAGIC),
                            NAME(EXT4_SUPER_MAGIC),
                            NAME(F2FS_SUPER_MAGIC),
                            {"FUSE_SUPER_MAGIC", 0x65735546},
                            NAME(HUGETLBFS_MAGIC),
                            NAME(ISOFS_SUPER_MAGIC),
                            {"MQUEUE_MAGIC", 0x19800202},
                            NAME(MSDOS_SUPER_MAGIC),
                            NAME(NFS_SUPER_MAGIC),
                            NAME(NSFS_MAGIC),
                            NAME(OVERLAYFS_SUPER_MAGIC),
                            NAME(PIPEFS_MAGIC),
                            NAME(PROC_SUPER_MAGIC),
                            NAME(PSTOREFS_MAGIC),
                            NAME(RAMFS_MAGIC),
                            NAME(SECURITYFS_MAGIC),
                            NAME(SELINUX_MAGIC),
                            {"SMB2_MAGIC_NUMBER", 0xfe534d42},
                            NAME(SOCKFS_MAGIC),
                            NAME(SQUASHFS_MAGIC),
                            NAME(SYSFS_MAGIC),
                            NAME(TMPFS_MAGIC),
                            NAME(TRACEFS_MAGIC),
                            NAME(UDF_SUPER_MAGIC),
                            NAME(V9FS_MAGIC),
                            {"XFS_SUPER_MAGIC", 0x58465342},
                            NAME(ZONEFS_MAGIC)};

constexpr Name kStatfsFlags[] = {{"ST_VALID", 0x20}, NAME(ST_RDONLY),           NAME(ST_NOSUID),
                                 NAME(ST_NODEV),     NAME(ST_NOEXEC),           NAME(ST_SYNCHRONOUS),
                                 NAME(ST_MANDLOCK),  NAME(ST_NOATIME),          NAME(ST_NODIRATIME),
                                 NAME(ST_RELATIME),  {"ST_NOSYMFOLLOW", 0x2000}};

constexpr Name kEntryTypes[] = {{"DT_UNKNOWN", 0}, {"DT_FIFO", 1},  {"DT_CHR", 2},
                                {"DT_DIR", 4},     {"DT_BLK", 6},   {"DT_REG", 8},
                                {"DT_LNK", 10},    {"DT_SOCK", 12}, {"DT_WHT", 14}};

std::string mode_text(uint32_t mode) {
  std::string text;
  if (const uint32_t format = mode & S_IFMT; format != 0) {
    const char* name = name_of(format, 4, kFileTypes);
    text = name != nullptr ? std::string(name) + "|" : hex(format) + "|";
  }
  if (mode & S_ISUID) text += "S_ISUID|";
  if (mode & S_ISGID) text += "S_ISGID|";
  if (mode & S_ISVTX) text += "S_ISVTX|";
  append_octal(text, mode & 0777);
  return text;
}

Value show_file_mode(Scope&, const Type&, const Source& source) {
  const auto mode = static_cast<uint32_t>(source.number);
  return Value::expression(mode_text(mode), Value::octal(mode));
}

// What open leaves out when it makes no file.
Value show_creation_mode(Scope& scope, const Type&, const Source& source) {
  constexpr uint64_t kMakesFile = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
  if ((scope.argument_before() & kMakesFile) == 0) return {};
  return Value::octal(source.number & 0xffff);
}

Value show_node_device(Scope& scope, const Type&, const Source& source) {
  const uint64_t mode = scope.argument_before() & S_IFMT;
  return mode == S_IFCHR || mode == S_IFBLK ? scope.show(kDevice, source.number) : Value{};
}

Value time_value(int64_t seconds) {
  std::string text = decimal(seconds);
  const time_t time = seconds;
  tm parts;
  char date[64];
  if (seconds != 0 && gmtime_r(&time, &parts) != nullptr &&
      strftime(date, sizeof date, " /* %Y-%m-%dT%H:%M:%S+0000 */", &parts) != 0)
    text += date;
  return Value::expression(std::move(text), Value::integer(seconds));
}

Value show_stat(Scope& scope, const Type&, const Source& source) {
  struct stat status;
  std::memcpy(&status, source.bytes.data(), sizeof status);
  const bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  Value value = Value::structure();
  const auto time = [&](const char* seconds, const char* nanoseconds, const timespec& moment) {
    value.add(seconds, time_value(moment.tv_sec).verbose_only());
    value.add(nanoseconds, Value::integer(moment.tv_nsec).verbose_only());
  };
  value.add("st_dev", scope.show(kDevice, status.st_dev).verbose_only());
  value.add("st_ino", Value::natural(status.st_ino).verbose_only());
  value.add("st_mode", Value::expression(mode_text(status.st_mode), Value::octal(status.st_mode)));
  value.add("st_nlink", Value::natural(status.st_nlink).verbose_only());
  value.add("st_uid", Value::natural(status.st_uid).verbose_only());
  value.add("st_gid", Value::natural(status.st_gid).verbose_only());
  value.add("st_blksize", Value::integer(status.st_blksize).verbose_only());
  value.add("st_blocks", Value::integer(status.st_blocks).verbose_only());
  if (is_device)
    value.add("st_rdev", scope.show(kDevice, status.st_rdev));
  else
    value.add("st_size", Value::integer(status.st_size));
  time("st_atime", "st_atime_nsec", status.st_atim);
  time("st_mtime", "st_mtime_nsec", status.st_mtim);
  time("st_ctime", "st_ctime_nsec", status.st_ctim);
  return value;
}

Value show_statx_time(Scope&, const Type&, const Source& source) {
  statx_timestamp time;
  std::memcpy(&time, source.bytes.data(), sizeof time);
  Value value = Value::structure();
  value.add("tv_sec", time_value(time.tv_sec));
  value.add("tv_nsec", Value::natural(time.tv_nsec));
  return value;
}

constexpr Type kStatxTime{"", show_statx_time};
constexpr Type kStatxMaskType{"StatxMask", show_flags, 4, kStatxMask, "STATX_???"};
constexpr Type kStatxAttributeNames{"", show_flags, 8, kStatxAttributes, "STATX_ATTR_???"};
using Statx = struct statx;
constexpr Field kStatxFields[] = {
    FIELD(Statx, stx_mask, kStatxMaskType),
    VERBOSE_FIELD(Statx, stx_blksize, kUnsignedNumber),
    FIELD(Statx, stx_attributes, kStatxAttributeNames),
    VERBOSE_FIELD(Statx, stx_nlink, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_uid, kUserId),
    VERBOSE_FIELD(Statx, stx_gid, kGroupId),
    FIELD(Statx, stx_mode, kMode),
    VERBOSE_FIELD(Statx, stx_ino, kUnsignedNumber),
    FIELD(Statx, stx_size, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_blocks, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_attributes_mask, kStatxAttributeNames),
    VERBOSE_FIELD(Statx, stx_atime, kStatxTime),
    VERBOSE_FIELD(Statx, stx_btime, kStatxTime),
    VERBOSE_FIELD(Statx, stx_ctime, kStatxTime),
    VERBOSE_FIELD(Statx, stx_mtime, kStatxTime),
    VERBOSE_FIELD(Statx, stx_rdev_major, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_rdev_minor, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_dev_major, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_dev_minor, kUnsignedNumber),
    VERBOSE_FIELD(Statx, stx_mnt_id, kUnsignedNumber),
};

Value show_file_system_id(Scope& scope, const Type&, const Source& source) {
  fsid_t id;
  std::memcpy(&id, source.bytes.data(), sizeof id);
  Value numbers = Value::array();
  for (int half : id.__val) numbers.add(scope.show(kHexNumber, half));
  Value value = Value::structure();
  value.add("val", std::move(numbers));
  return value;
}

constexpr Type kMagic{"", show_choice, 8, kMagics, "???_MAGIC"};
constexpr Type kStatfsFlagNames{"", show_flags, 8, kStatfsFlags, "ST_???"};
constexpr Type kFileSystemId{"", show_file_system_id};
using Statfs = struct statfs;
constexpr Field kStatfsFields[] = {FIELD(Statfs, f_type, kMagic),
                                   FIELD(Statfs, f_bsize, kSignedNumber),
                                   FIELD(Statfs, f_blocks, kUnsignedNumber),
                                   FIELD(Statfs, f_bfree, kUnsignedNumber),
                                   FIELD(Statfs, f_bavail, kUnsignedNumber),
                                   FIELD(Statfs, f_files, kUnsignedNumber),
                                   FIELD(Statfs, f_ffree, kUnsignedNumber),
                                   FIELD(Statfs, f_fsid, kFileSystemId),
                                   FIELD(Statfs, f_namelen, kSignedNumber),
                                   FIELD(Statfs, f_frsize, kSignedNumber),
                                   FIELD(Statfs, f_flags, kStatfsFlagNames)};

constexpr Name kLockOperations[] = {NAME(LOCK_SH), NAME(LOCK_EX), NAME(LOCK_UN), NAME(LOCK_NB)};

// struct open_how, of any size that the caller says.
Value show_open_how(Scope& scope, const Type&, const Source& source) {
  const uint64_t size = scope.argument_after();
  if (source.number == 0 || size < sizeof(open_how)) return Value::address(source.number);
  const auto how = scope.read<open_how>(source.number);
  if (!how) return Value::address(source.number);
  Value value = Value::structure();
  value.add("flags", flags_value(how->flags, kOpenFlags, "O_???"));
  if (how->mode != 0 || (how->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0)
    value.add("mode", Value::octal(how->mode));
  value.add("resolve", flags_value(how->resolve, kResolveFlags, "RESOLVE_???"));
  value.is_cut = size > sizeof(open_how);
  return value;
}

struct DirentHeader {  // struct linux_dirent64, up to its name
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
} __attribute__((packed));
struct OldDirentHeader {  // struct linux_dirent, whose type is its last byte
  uint64_t inode;
  int64_t offset;
  uint16_t length;
} __attribute__((packed));

constexpr size_t kShownEntryBytes = 32 << 10;

Value dirent_value(const std::byte* record, size_t length, bool is_old) {
  OldDirentHeader header;
  std::memcpy(&header, record, sizeof header);
  const size_t name_start = is_old ? sizeof(OldDirentHeader) : sizeof(DirentHeader);
  const auto type = static_cast<uint8_t>(is_old ? record[length - 1] : record[sizeof(OldDirentHeader)]);
  const char* name = reinterpret_cast<const char*>(record) + name_start;
  Value value = Value::structure();
  value.add("d_ino", Value::natural(header.inode));
  value.add("d_off", Value::integer(header.offset));
  value.add("d_reclen", Value::natural(header.length));
  Value kind = choice_value(type, 1, kEntryTypes, "DT_???");
  if (!is_old) value.add("d_type", kind);
  value.add("d_name", Value::string(std::string(name, strnlen(name, length - name_start))));
  if (is_old) value.add("d_type", kind);
  return value;
}

// Text shows how many entries there are, as strace does; JSON has them.
Value show_directory_entries(Scope& scope, bool is_old) {
  const uint64_t address = scope.argument(1);
  const auto total = static_cast<size_t>(scope.result());
  std::vector<std::byte> bytes(std::min(total, kShownEntryBytes));
  if (!scope.read(address, bytes)) return Value::address(address);
  Value entries = Value::array();
  size_t count = 0;
  const size_t header_size = is_old ? sizeof(OldDirentHeader) : sizeof(DirentHeader);
  for (size_t at = 0; at + header_size < bytes.size();) {
    uint16_t length;
    std::memcpy(&length, bytes.data() + at + offsetof(OldDirentHeader, length), sizeof length);
    if (length <= header_size || at + length > bytes.size()) break;
    if (++count <= scope.options().array_elements)
      entries.add(dirent_value(bytes.data() + at, length, is_old));
    at += length;
  }
  entries.is_cut = count > entries.members.size() || bytes.size() < total;
  std::string text = hex(address) + " /* " + natural(count) + (bytes.size() < total ? "+" : "");
  text += count == 1 ? " entry */" : " entries */";
  return Value::expression(std::move(text), std::move(entries));
}

Value show_dirents(Scope& scope, const Type&, const Source&) { return show_directory_entries(scope, false); }
Value show_old_dirents(Scope& scope, const Type&, const Source&) {
  return show_directory_entries(scope, true);
}

struct FileAttr {  // struct file_attr, Linux 6.17
  uint64_t fa_xflags;
  uint32_t fa_extsize, fa_nextents, fa_projid, fa_cowextsize;
};
constexpr Name kExtendedFlags[] = {
    NAME(FS_XFLAG_REALTIME),   NAME(FS_XFLAG_PREALLOC),   NAME(FS_XFLAG_IMMUTABLE),
    NAME(FS_XFLAG_APPEND),     NAME(FS_XFLAG_SYNC),       NAME(FS_XFLAG_NOATIME),
    NAME(FS_XFLAG_NODUMP),     NAME(FS_XFLAG_RTINHERIT),  NAME(FS_XFLAG_PROJINHERIT),
    NAME(FS_XFLAG_NOSYMLINKS), NAME(FS_XFLAG_EXTSIZE),    NAME(FS_XFLAG_EXTSZINHERIT),
    NAME(FS_XFLAG_NODEFRAG),   NAME(FS_XFLAG_FILESTREAM), NAME(FS_XFLAG_DAX),
    NAME(FS_XFLAG_COWEXTSIZE), NAME(FS_XFLAG_HASATTR)};
constexpr Type kExtendedFlagNames{"", show_flags, 8, kExtendedFlags, "FS_XFLAG_???"};
constexpr Field kFileAttrFields[] = {
    FIELD(FileAttr, fa_xflags, kExtendedFlagNames), FIELD(FileAttr, fa_extsize, kUnsignedNumber),
    FIELD(FileAttr, fa_nextents, kUnsignedNumber), FIELD(FileAttr, fa_projid, kUnsignedNumber),
    FIELD(FileAttr, fa_cowextsize, kUnsignedNumber)};

constexpr Name kXattrFlags[] = {{"XATTR_CREATE", 1}, {"XATTR_REPLACE", 2}};
struct XattrArgs {  // struct xattr_args, Linux 6.13
  uint64_t value;
  uint32_t size, flags;
};
constexpr Type kXattrFlagNames{"XattrFlags", show_flags, 4, kXattrFlags, "XATTR_???"};
constexpr Field kXattrArgsFields[] = {FIELD(XattrArgs, value, kAddressField),
                                      FIELD(XattrArgs, size, kUnsignedNumber),
                                      FIELD(XattrArgs, flags, kXattrFlagNames)};

constexpr Field kUtimbufFields[] = {FIELD(utimbuf, actime, kClock), FIELD(utimbuf, modtime, kClock)};

// file_handle: its size comes first, and is what the caller makes room for or what the kernel wanted.
Value show_file_handle(Scope& scope, const Type&, const Source& source) {
  struct Header {
    uint32_t size;
    int32_t type;
  };
  if (source.number == 0) return Value::address(0);
  const auto header = scope.read<Header>(source.number);
  if (!header) return Value::address(source.number);
  Value value = Value::structure();
  value.add("handle_bytes", Value::natural(header->size));
  const bool is_input_of_name = scope.argument(0) != 0 && !scope.is_exit() && header->type == 0;
  if (is_input_of_name) return value;
  value.add("handle_type", Value::hex(static_cast<uint32_t>(header->type)));
  std::vector<std::byte> bytes(std::min<uint32_t>(header->size, MAX_HANDLE_SZ));
  if (!scope.read(source.number + sizeof(Header), bytes)) return value;
  Value handle = Value::string(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  handle.is_hexadecimal = true;
  value.add("f_handle", std::move(handle));
  return value;
}

}  // namespace

Value open_flags_value(uint64_t flags) { return flags_value(flags, kOpenFlags, "O_???"); }

Value show_open_flags(Scope&, const Type& type, const Source& source) {
  return flags_value(source.number & 0xffffffff, kOpenFlags, type.unknown);
}

Value show_clock_seconds(Scope&, const Type&, const Source& source) {
  return time_value(static_cast<int64_t>(source.number));
}

constexpr Type kMode{"Mode", show_file_mode, 2};
constexpr Type kClock{"", show_clock_seconds, 8};
constexpr Type kOpenFlagNames{"OpenFlags", show_open_flags, 4, kOpenFlags, "O_???"};

namespace {

constexpr Type kTypes[] = {
    {"Mode", show_octal, 2},
    {"NodeMode", show_file_mode, 2},
    {"UmaskMode", show_octal},
    {"CreationMode", show_creation_mode},
    {"NodeDevice", show_node_device},
    kOpenFlagNames,
    {"AccessMode", show_flags, 0, kAccessModes, "?_OK"},
    {"AtFlags", show_flags, 0, kAtFlags, "AT_???"},
    {"StatxAtFlags", show_flags, 0, kStatxAtFlags, "AT_???"},
    {"AccessAtFlags", show_flags, 0, kAccessAtFlags, "AT_???"},
    {"HandleAtFlags", show_flags, 0, kHandleAtFlags, "AT_???"},
    {"ExecAtFlags", show_flags, 0, kExecAtFlags, "AT_???"},
    {"Whence", show_choice, 0, kWhences, "SEEK_???"},
    {"FallocateMode", show_flags, 0, kFallocateModes, "FALLOC_FL_???"},
    {"FadviseAdvice", show_choice, 0, kAdvice, "POSIX_FADV_???"},
    {"FlockOperation", show_flags, 0, kLockOperations, "LOCK_???"},
    {"RenameFlags", show_flags, 0, kRenameFlags, "RENAME_???"},
    {"SyncRangeFlags", show_flags, 0, kSyncRangeFlags, "SYNC_FILE_RANGE_???"},
    {"SpliceFlags", show_flags, 0, kSpliceFlags, "SPLICE_F_???"},
    {"ReadWriteFlags", show_flags, 0, kReadWriteFlags, "RWF_???"},
    kXattrFlagNames,
    kStatxMaskType,
    {"struct stat", show_stat, sizeof(struct stat)},
    {"struct statx", show_structure, sizeof(struct statx), {}, "", kStatxFields},
    {"struct statfs", show_structure, sizeof(struct statfs), {}, "", kStatfsFields},
    {"struct utimbuf", show_structure, sizeof(utimbuf), {}, "", kUtimbufFields},
    {"FileAttributes", show_structure, sizeof(FileAttr), {}, "", kFileAttrFields},
    {"XattrArguments", show_structure, sizeof(XattrArgs), {}, "", kXattrArgsFields},
    {"OpenHowPtr", show_open_how},
    {"DirentBytes", show_dirents},
    {"OldDirentBytes", show_old_dirents},
    {"FileHandlePtr", show_file_handle},
    {"InFileHandlePtr", show_file_handle},
};
constexpr Names kMoreNames[] = {kFileTypes,       kResolveFlags, kMagics,        kStatfsFlags,
                                kStatxAttributes, kEntryTypes,   kExtendedFlags, kOpenFlags};

}  // namespace

Family file_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
