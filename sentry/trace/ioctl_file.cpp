// ioctl requests of files, block devices, namespaces, loops, random numbers, clocks, seccomp and tracing.
#include <linux/blkzoned.h>
#include <linux/cdrom.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/hdreg.h>
#include <linux/kvm.h>
#include <linux/loop.h>
#include <linux/msdos_fs.h>
#include <linux/nsfs.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>

#include "sentry/trace/ioctl_entry.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Type kNumber{"", show_signed, 4};
constexpr Type kWide{"", show_unsigned, 8};

constexpr Name kInodeFlags[] = {
    NAME(FS_SECRM_FL),     NAME(FS_UNRM_FL),        NAME(FS_COMPR_FL),        NAME(FS_SYNC_FL),
    NAME(FS_IMMUTABLE_FL), NAME(FS_APPEND_FL),      NAME(FS_NODUMP_FL),       NAME(FS_NOATIME_FL),
    NAME(FS_DIRTY_FL),     NAME(FS_COMPRBLK_FL),    NAME(FS_NOCOMP_FL),       NAME(FS_ENCRYPT_FL),
    NAME(FS_INDEX_FL),     NAME(FS_IMAGIC_FL),      NAME(FS_JOURNAL_DATA_FL), NAME(FS_NOTAIL_FL),
    NAME(FS_DIRSYNC_FL),   NAME(FS_TOPDIR_FL),      NAME(FS_HUGE_FILE_FL),    NAME(FS_EXTENT_FL),
    NAME(FS_VERITY_FL),    NAME(FS_EA_INODE_FL),    NAME(FS_EOFBLOCKS_FL),    NAME(FS_NOCOW_FL),
    NAME(FS_DAX_FL),       NAME(FS_INLINE_DATA_FL), NAME(FS_PROJINHERIT_FL),  NAME(FS_CASEFOLD_FL),
    NAME(FS_RESERVED_FL)};
constexpr Type kInodeFlagNames{"", show_flags, 4, kInodeFlags, "FS_???_FL"};

constexpr Field kExtendedFields[] = {
    FIELD(fsxattr, fsx_xflags, kHexNumber), FIELD(fsxattr, fsx_extsize, kUnsignedNumber),
    FIELD(fsxattr, fsx_nextents, kUnsignedNumber), FIELD(fsxattr, fsx_projid, kUnsignedNumber),
    FIELD(fsxattr, fsx_cowextsize, kUnsignedNumber)};
constexpr Type kExtended{"", show_structure, sizeof(fsxattr), {}, "", kExtendedFields};
constexpr Field kCloneRangeFields[] = {FIELD(file_clone_range, src_fd, kSignedNumber),
                                       FIELD(file_clone_range, src_offset, kUnsignedNumber),
                                       FIELD(file_clone_range, src_length, kUnsignedNumber),
                                       FIELD(file_clone_range, dest_offset, kUnsignedNumber)};
constexpr Type kCloneRange{"", show_structure, sizeof(file_clone_range), {}, "", kCloneRangeFields};
constexpr Field kDedupeFields[] = {FIELD(file_dedupe_range, src_offset, kUnsignedNumber),
                                   FIELD(file_dedupe_range, src_length, kUnsignedNumber),
                                   FIELD(file_dedupe_range, dest_count, kUnsignedNumber)};
constexpr Type kDedupe{"", show_structure, sizeof(file_dedupe_range), {}, "", kDedupeFields};
constexpr Field kExtentFields[] = {
    FIELD(fiemap, fm_start, kUnsignedNumber), FIELD(fiemap, fm_length, kUnsignedNumber),
    FIELD(fiemap, fm_flags, kHexNumber), FIELD(fiemap, fm_mapped_extents, kUnsignedNumber),
    FIELD(fiemap, fm_extent_count, kUnsignedNumber)};
constexpr Type kExtents{"", show_structure, sizeof(fiemap), {}, "", kExtentFields};
constexpr Field kTrimFields[] = {FIELD(fstrim_range, start, kUnsignedNumber),
                                 FIELD(fstrim_range, len, kUnsignedNumber),
                                 FIELD(fstrim_range, minlen, kUnsignedNumber)};
constexpr Type kTrim{"", show_structure, sizeof(fstrim_range), {}, "", kTrimFields};
constexpr Field kRtcFields[] = {
    FIELD(rtc_time, tm_sec, kSignedNumber),  FIELD(rtc_time, tm_min, kSignedNumber),
    FIELD(rtc_time, tm_hour, kSignedNumber), FIELD(rtc_time, tm_mday, kSignedNumber),
    FIELD(rtc_time, tm_mon, kSignedNumber),  FIELD(rtc_time, tm_year, kSignedNumber)};
constexpr Type kRtcTime{"", show_structure, sizeof(rtc_time), {}, "", kRtcFields};
constexpr Type kLabel{"", show_characters, FSLABEL_MAX};

constexpr Name kLoopFlags[] = {NAME(LO_FLAGS_READ_ONLY), NAME(LO_FLAGS_AUTOCLEAR), NAME(LO_FLAGS_PARTSCAN),
                               NAME(LO_FLAGS_DIRECT_IO)};
constexpr Type kLoopFlagNames{"", show_flags, 4, kLoopFlags, "LO_FLAGS_???"};
constexpr Field kLoopFields[] = {
    FIELD(loop_info64, lo_offset, kUnsignedNumber), FIELD(loop_info64, lo_sizelimit, kUnsignedNumber),
    FIELD(loop_info64, lo_number, kUnsignedNumber), FIELD(loop_info64, lo_flags, kLoopFlagNames),
    FIELD(loop_info64, lo_file_name, kCharacters)};
constexpr Type kLoop{"", show_structure, sizeof(loop_info64), {}, "", kLoopFields};

constexpr Field kNotificationFields[] = {FIELD(seccomp_notif, id, kHexNumber),
                                         FIELD(seccomp_notif, pid, kSignedNumber),
                                         FIELD(seccomp_notif, flags, kHexNumber)};
constexpr Type kNotification{"", show_structure, sizeof(seccomp_notif), {}, "", kNotificationFields};
constexpr Field kResponseFields[] = {
    FIELD(seccomp_notif_resp, id, kHexNumber), FIELD(seccomp_notif_resp, val, kSignedNumber),
    FIELD(seccomp_notif_resp, error, kSignedNumber), FIELD(seccomp_notif_resp, flags, kHexNumber)};
constexpr Type kResponse{"", show_structure, sizeof(seccomp_notif_resp), {}, "", kResponseFields};
constexpr Field kAddFdFields[] = {
    FIELD(seccomp_notif_addfd, id, kHexNumber), FIELD(seccomp_notif_addfd, flags, kHexNumber),
    FIELD(seccomp_notif_addfd, srcfd, kUnsignedNumber), FIELD(seccomp_notif_addfd, newfd, kUnsignedNumber),
    FIELD(seccomp_notif_addfd, newfd_flags, kHexNumber)};
constexpr Type kAddFd{"", show_structure, sizeof(seccomp_notif_addfd), {}, "", kAddFdFields};

constexpr Field kUserfaultFields[] = {FIELD(uffdio_api, api, kHexNumber),
                                      FIELD(uffdio_api, features, kHexNumber),
                                      FIELD(uffdio_api, ioctls, kHexNumber)};
constexpr Type kUserfault{"", show_structure, sizeof(uffdio_api), {}, "", kUserfaultFields};

constexpr IoctlEntry kRequests[] = {IOCTL(FIBMAP, kInOut, &kNumber),
                                    IOCTL(FIGETBSZ, kOut, &kNumber),
                                    IOCTL(FIFREEZE, kNothing, nullptr),
                                    IOCTL(FITHAW, kNothing, nullptr),
                                    IOCTL(FITRIM, kInOut, &kTrim),
                                    IOCTL(FICLONE, kNumber, &kNumber),
                                    IOCTL(FICLONERANGE, kIn, &kCloneRange),
                                    IOCTL(FIDEDUPERANGE, kInOut, &kDedupe),
                                    IOCTL(FS_IOC_FIEMAP, kInOut, &kExtents),
                                    IOCTL(FS_IOC_GETFLAGS, kOut, &kInodeFlagNames),
                                    IOCTL(FS_IOC_SETFLAGS, kIn, &kInodeFlagNames),
                                    IOCTL(FS_IOC_GETVERSION, kOut, &kNumber),
                                    IOCTL(FS_IOC_SETVERSION, kIn, &kNumber),
                                    IOCTL(FS_IOC_FSGETXATTR, kOut, &kExtended),
                                    IOCTL(FS_IOC_FSSETXATTR, kIn, &kExtended),
                                    IOCTL(FS_IOC_GETFSLABEL, kOut, &kLabel),
                                    IOCTL(FS_IOC_SETFSLABEL, kIn, &kLabel),
                                    IOCTL(FS_IOC_SET_ENCRYPTION_POLICY, kIn, nullptr),
                                    IOCTL(FS_IOC_GET_ENCRYPTION_POLICY, kOut, nullptr),
                                    IOCTL(FS_IOC_GET_ENCRYPTION_PWSALT, kOut, nullptr),
                                    IOCTL(FS_IOC_ADD_ENCRYPTION_KEY, kInOut, nullptr),
                                    IOCTL(FS_IOC_ENABLE_VERITY, kIn, nullptr),
                                    IOCTL(FS_IOC_MEASURE_VERITY, kInOut, nullptr),
                                    IOCTL(VFAT_IOCTL_READDIR_BOTH, kOut, nullptr),
                                    IOCTL(FAT_IOCTL_GET_ATTRIBUTES, kOut, &kNumber),
                                    IOCTL(BLKROSET, kIn, &kNumber),
                                    IOCTL(BLKROGET, kOut, &kNumber),
                                    IOCTL(BLKRRPART, kNothing, nullptr),
                                    IOCTL(BLKGETSIZE, kOut, &kWide),
                                    IOCTL(BLKGETSIZE64, kOut, &kWide),
                                    IOCTL(BLKFLSBUF, kNothing, nullptr),
                                    IOCTL(BLKRASET, kNumber, &kNumber),
                                    IOCTL(BLKRAGET, kOut, &kWide),
                                    IOCTL(BLKSSZGET, kOut, &kNumber),
                                    IOCTL(BLKBSZGET, kOut, &kNumber),
                                    IOCTL(BLKBSZSET, kIn, &kNumber),
                                    IOCTL(BLKIOMIN, kOut, &kNumber),
                                    IOCTL(BLKIOOPT, kOut, &kNumber),
                                    IOCTL(BLKALIGNOFF, kOut, &kNumber),
                                    IOCTL(BLKPBSZGET, kOut, &kNumber),
                                    IOCTL(BLKDISCARD, kIn, nullptr),
                                    IOCTL(BLKDISCARDZEROES, kOut, &kNumber),
                                    IOCTL(BLKSECDISCARD, kIn, nullptr),
                                    IOCTL(BLKROTATIONAL, kOut, nullptr),
                                    IOCTL(BLKZEROOUT, kIn, nullptr),
                                    IOCTL(HDIO_GETGEO, kOut, nullptr),
                                    IOCTL(CDROM_GET_CAPABILITY, kNumber, &kNumber),
                                    IOCTL(CDROMEJECT, kNothing, nullptr),
                                    IOCTL(LOOP_SET_FD, kNumber, &kNumber),
                                    IOCTL(LOOP_CLR_FD, kNothing, nullptr),
                                    IOCTL(LOOP_SET_STATUS64, kIn, &kLoop),
                                    IOCTL(LOOP_GET_STATUS64, kOut, &kLoop),
                                    IOCTL(LOOP_CHANGE_FD, kNumber, &kNumber),
                                    IOCTL(LOOP_SET_CAPACITY, kNothing, nullptr),
                                    IOCTL(LOOP_SET_DIRECT_IO, kNumber, &kNumber),
                                    IOCTL(LOOP_SET_BLOCK_SIZE, kNumber, &kNumber),
                                    IOCTL(LOOP_CONFIGURE, kIn, nullptr),
                                    IOCTL(LOOP_CTL_ADD, kNumber, &kNumber),
                                    IOCTL(LOOP_CTL_REMOVE, kNumber, &kNumber),
                                    IOCTL(LOOP_CTL_GET_FREE, kNothing, nullptr),
                                    IOCTL(NS_GET_USERNS, kDescriptor, nullptr),
                                    IOCTL(NS_GET_PARENT, kDescriptor, nullptr),
                                    IOCTL(NS_GET_NSTYPE, kNothing, nullptr),
                                    IOCTL(NS_GET_OWNER_UID, kOut, &kNumber),
                                    IOCTL(RNDGETENTCNT, kOut, &kNumber),
                                    IOCTL(RNDADDTOENTCNT, kIn, &kNumber),
                                    IOCTL(RNDADDENTROPY, kIn, nullptr),
                                    IOCTL(RNDZAPENTCNT, kNothing, nullptr),
                                    IOCTL(RNDCLEARPOOL, kNothing, nullptr),
                                    IOCTL(RNDRESEEDCRNG, kNothing, nullptr),
                                    IOCTL(RTC_RD_TIME, kOut, &kRtcTime),
                                    IOCTL(RTC_SET_TIME, kIn, &kRtcTime),
                                    IOCTL(RTC_UIE_ON, kNothing, nullptr),
                                    IOCTL(RTC_UIE_OFF, kNothing, nullptr),
                                    IOCTL(RTC_ALM_READ, kOut, &kRtcTime),
                                    IOCTL(RTC_ALM_SET, kIn, &kRtcTime),
                                    IOCTL(SECCOMP_IOCTL_NOTIF_RECV, kInOut, &kNotification),
                                    IOCTL(SECCOMP_IOCTL_NOTIF_SEND, kInOut, &kResponse),
                                    IOCTL(SECCOMP_IOCTL_NOTIF_ID_VALID, kIn, &kWide),
                                    IOCTL(SECCOMP_IOCTL_NOTIF_ADDFD, kIn, &kAddFd),
                                    IOCTL(UFFDIO_API, kInOut, &kUserfault),
                                    IOCTL(UFFDIO_REGISTER, kInOut, nullptr),
                                    IOCTL(UFFDIO_UNREGISTER, kIn, nullptr),
                                    IOCTL(UFFDIO_WAKE, kIn, nullptr),
                                    IOCTL(UFFDIO_COPY, kInOut, nullptr),
                                    IOCTL(UFFDIO_ZEROPAGE, kInOut, nullptr),
                                    IOCTL(UFFDIO_WRITEPROTECT, kInOut, nullptr),
                                    IOCTL(UFFDIO_CONTINUE, kInOut, nullptr),
                                    IOCTL(PERF_EVENT_IOC_ENABLE, kNumber, &kNumber),
                                    IOCTL(PERF_EVENT_IOC_DISABLE, kNumber, &kNumber),
                                    IOCTL(PERF_EVENT_IOC_RESET, kNumber, &kNumber),
                                    IOCTL(PERF_EVENT_IOC_REFRESH, kNumber, &kNumber),
                                    IOCTL(PERF_EVENT_IOC_PERIOD, kIn, &kWide),
                                    IOCTL(PERF_EVENT_IOC_SET_OUTPUT, kNumber, &kNumber),
                                    IOCTL(PERF_EVENT_IOC_ID, kOut, &kWide),
                                    IOCTL(PERF_EVENT_IOC_SET_BPF, kNumber, &kNumber),
                                    IOCTL(KVM_GET_API_VERSION, kNothing, nullptr),
                                    IOCTL(KVM_CREATE_VM, kDescriptor, &kNumber),
                                    IOCTL(KVM_CHECK_EXTENSION, kNumber, &kNumber),
                                    IOCTL(KVM_GET_VCPU_MMAP_SIZE, kNothing, nullptr),
                                    IOCTL(KVM_CREATE_VCPU, kDescriptor, &kNumber),
                                    IOCTL(KVM_RUN, kNothing, nullptr),
                                    IOCTL(KVM_SET_USER_MEMORY_REGION, kIn, nullptr),
                                    IOCTL(KVM_GET_REGS, kOut, nullptr),
                                    IOCTL(KVM_SET_REGS, kIn, nullptr),
                                    IOCTL(KVM_GET_SREGS, kOut, nullptr),
                                    IOCTL(KVM_SET_SREGS, kIn, nullptr)};

}  // namespace

std::span<const IoctlEntry> file_requests() { return kRequests; }

}  // namespace sandbox::trace
