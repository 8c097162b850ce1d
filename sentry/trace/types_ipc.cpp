// System V IPC and POSIX message queues.
#include <fcntl.h>
#include <linux/ipc.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

// glibc's sys/sem.h has other structures of these names, hence the kernel's headers above.
constexpr uint64_t kPermissions = 0777;
constexpr Name kGetFlags[] = {NAME(IPC_CREAT), NAME(IPC_EXCL), NAME(IPC_NOWAIT)};
constexpr uint64_t kHugeMask = uint64_t{0x3f} << 26;
constexpr Name kShmGetFlags[] = {NAME(IPC_CREAT),
                                 NAME(IPC_EXCL),
                                 NAME(SHM_HUGETLB),
                                 NAME(SHM_NORESERVE),
                                 {"21<<SHM_HUGE_SHIFT", uint64_t{21} << 26, kHugeMask},
                                 {"30<<SHM_HUGE_SHIFT", uint64_t{30} << 26, kHugeMask}};
constexpr Name kAttachFlags[] = {NAME(SHM_RDONLY), NAME(SHM_RND), NAME(SHM_REMAP), NAME(SHM_EXEC)};
constexpr Name kSendFlags[] = {NAME(MSG_NOERROR), NAME(MSG_EXCEPT), {"MSG_COPY", 040000}, NAME(IPC_NOWAIT)};
constexpr Name kSemOperationFlags[] = {NAME(SEM_UNDO), NAME(IPC_NOWAIT)};
constexpr Name kCommands[] = {NAME(IPC_RMID), NAME(IPC_SET), NAME(IPC_STAT), NAME(IPC_INFO),
                              NAME(GETPID),   NAME(GETVAL),  NAME(GETALL),   NAME(GETNCNT),
                              NAME(GETZCNT),  NAME(SETVAL),  NAME(SETALL)};
constexpr Name kShmCommands[] = {NAME(IPC_RMID), NAME(IPC_SET),  NAME(IPC_STAT),
                                 NAME(IPC_INFO), NAME(SHM_LOCK), NAME(SHM_UNLOCK),
                                 NAME(SHM_STAT), NAME(SHM_INFO), NAME(SHM_STAT_ANY)};
constexpr Name kSemCommands[] = {NAME(IPC_RMID), NAME(IPC_SET),     NAME(IPC_STAT), NAME(IPC_INFO),
                                 NAME(GETPID),   NAME(GETVAL),      NAME(GETALL),   NAME(GETNCNT),
                                 NAME(GETZCNT),  NAME(SETVAL),      NAME(SETALL),   NAME(SEM_STAT),
                                 NAME(SEM_INFO), NAME(SEM_STAT_ANY)};
constexpr Name kMsgCommands[] = {NAME(IPC_RMID), NAME(IPC_SET),  NAME(IPC_STAT),    NAME(IPC_INFO),
                                 NAME(MSG_STAT), NAME(MSG_INFO), NAME(MSG_STAT_ANY)};

// Flags, then the permissions in octal: IPC_CREAT|0600.
Value show_get_flags(Scope&, const Type& type, const Source& source) {
  const uint64_t number = source.number & 0xffffffff;
  Value value = flags_value(number & ~kPermissions, type.names, type.unknown);
  value.number = number;
  std::string permissions;
  append_octal(permissions, number & kPermissions);
  value.text += value.text.empty() ? permissions : "|" + permissions;
  return value;
}

Value show_key(Scope&, const Type&, const Source& source) {
  if (source.number == IPC_PRIVATE) return Value::expression("IPC_PRIVATE", Value::integer(0));
  return Value::hex(source.number & 0xffffffff);
}

// The kernel's own layouts: struct ipc64_perm and what follows it.
struct Permissions {
  int32_t key;
  uint32_t uid, gid, cuid, cgid;
  uint32_t mode;
  uint16_t seq;
  uint64_t unused[2];
};
Value show_permissions(Scope& scope, const Type&, const Source& source) {
  Permissions permissions;
  std::memcpy(&permissions, source.bytes.data(), sizeof permissions);
  Value value = Value::structure();
  value.add("uid", scope.show(kUserId, permissions.uid));
  value.add("gid", scope.show(kGroupId, permissions.gid));
  value.add("mode", Value::octal(permissions.mode));
  value.add("key", Value::integer(permissions.key));
  value.add("cuid", scope.show(kUserId, permissions.cuid));
  value.add("cgid", scope.show(kGroupId, permissions.cgid));
  return value;
}
constexpr Type kPermissionFields{"", show_permissions, sizeof(Permissions)};

struct Segment {  // struct shmid64_ds
  Permissions shm_perm;
  uint64_t shm_segsz;
  int64_t shm_atime, shm_dtime, shm_ctime;
  int32_t shm_cpid, shm_lpid;
  uint64_t shm_nattch, unused[2];
};
constexpr Field kSegmentFields[] = {
    FIELD(Segment, shm_perm, kPermissionFields), FIELD(Segment, shm_segsz, kUnsignedNumber),
    FIELD(Segment, shm_cpid, kSignedNumber),     FIELD(Segment, shm_lpid, kSignedNumber),
    FIELD(Segment, shm_nattch, kUnsignedNumber), FIELD(Segment, shm_atime, kSignedNumber),
    FIELD(Segment, shm_dtime, kSignedNumber),    FIELD(Segment, shm_ctime, kSignedNumber)};
constexpr Type kSegment{"", show_structure, sizeof(Segment), {}, "", kSegmentFields};
struct Semaphores {  // struct semid64_ds
  Permissions sem_perm;
  int64_t sem_otime, unused1, sem_ctime, unused2;
  uint64_t sem_nsems, unused3, unused4;
};
constexpr Field kSemaphoresFields[] = {
    FIELD(Semaphores, sem_perm, kPermissionFields), FIELD(Semaphores, sem_otime, kSignedNumber),
    FIELD(Semaphores, sem_ctime, kSignedNumber), FIELD(Semaphores, sem_nsems, kUnsignedNumber)};
constexpr Type kSemaphores{"", show_structure, sizeof(Semaphores), {}, "", kSemaphoresFields};
struct Queue {  // struct msqid64_ds
  Permissions msg_perm;
  int64_t msg_stime, msg_rtime, msg_ctime;
  uint64_t msg_cbytes, msg_qnum, msg_qbytes;
  int32_t msg_lspid, msg_lrpid;
  uint64_t unused[2];
};
constexpr Field kQueueFields[] = {
    FIELD(Queue, msg_perm, kPermissionFields), FIELD(Queue, msg_stime, kSignedNumber),
    FIELD(Queue, msg_rtime, kSignedNumber),    FIELD(Queue, msg_ctime, kSignedNumber),
    FIELD(Queue, msg_qnum, kUnsignedNumber),   FIELD(Queue, msg_qbytes, kUnsignedNumber),
    FIELD(Queue, msg_lspid, kSignedNumber),    FIELD(Queue, msg_lrpid, kSignedNumber)};
constexpr Type kQueue{"", show_structure, sizeof(Queue), {}, "", kQueueFields};

// IPC_SET reads the structure, IPC_STAT and its like write it.
Value control_value(Scope& scope, const Type& type, uint64_t command, uint64_t address) {
  if (command == IPC_SET) return scope.is_exit() ? Value{} : scope.pointer(type, address);
  if (command == IPC_STAT) {
    if (!scope.is_exit()) return address == 0 ? Value::address(0) : Value::pending();
    return scope.pointer(type, address);
  }
  return scope.is_exit() ? Value{} : Value::address(address);
}

Value show_shm_argument(Scope& scope, const Type&, const Source& source) {
  return control_value(scope, kSegment, scope.argument(1), source.number);
}
Value show_msg_argument(Scope& scope, const Type&, const Source& source) {
  return control_value(scope, kQueue, scope.argument(1), source.number);
}
Value show_sem_argument(Scope& scope, const Type&, const Source& source) {
  switch (scope.argument(2)) {
    case SETVAL:
      return scope.is_exit() ? Value{} : Value::integer(static_cast<int>(source.number));
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
    case IPC_RMID:
      return scope.is_exit() ? Value{} : Value::address(source.number);
    default:
      return control_value(scope, kSemaphores, scope.argument(2), source.number);
  }
}

constexpr Type kSemFlagNames{"", show_flags, 2, kSemOperationFlags, "SEM_???"};
constexpr Field kOperationFields[] = {FIELD(sembuf, sem_num, kUnsignedNumber),
                                      FIELD(sembuf, sem_op, kSignedNumber),
                                      FIELD(sembuf, sem_flg, kSemFlagNames)};

Value message(Scope& scope, uint64_t address, uint64_t size) {
  if (address == 0) return Value::address(0);
  const auto kind = scope.read<int64_t>(address);
  if (!kind) return Value::address(address);
  Value value = Value::structure();
  value.add("mtype", Value::integer(*kind));
  value.add("mtext", scope.bytes(address + sizeof *kind, size));
  return value;
}
Value show_sent_message(Scope& scope, const Type&, const Source& source) {
  return message(scope, source.number, scope.argument_after());
}
Value show_received_message(Scope& scope, const Type&, const Source& source) {
  return message(scope, source.number, static_cast<uint64_t>(scope.result()));
}

constexpr Name kQueueFlags[] = {NAME(O_NONBLOCK)};
constexpr Type kQueueFlagNames{"", show_flags, 8, kQueueFlags, "O_???"};
constexpr Field kAttributeFields[] = {
    FIELD(mq_attr, mq_flags, kQueueFlagNames), FIELD(mq_attr, mq_maxmsg, kSignedNumber),
    FIELD(mq_attr, mq_msgsize, kSignedNumber), FIELD(mq_attr, mq_curmsgs, kSignedNumber)};
constexpr Type kAttributes{"struct mq_attr", show_structure, sizeof(mq_attr), {}, "", kAttributeFields};

Value show_queue_attributes(Scope& scope, const Type&, const Source& source) {
  return (scope.argument(1) & O_CREAT) != 0 ? scope.pointer(kAttributes, source.number) : Value{};
}

constexpr Type kTypes[] = {
    {"IpcKey", show_key},
    {"ShmFlags", show_get_flags, 0, kShmGetFlags, "SHM_???"},
    {"SemFlags", show_get_flags, 0, kGetFlags, "SEM_???"},
    {"MsgFlags", show_get_flags, 0, kGetFlags, "MSG_???"},
    {"ShmatFlags", show_flags, 0, kAttachFlags, "SHM_???"},
    {"MsgSendFlags", show_flags, 0, kSendFlags, "MSG_???"},
    {"IpcCommand", show_choice, 0, kCommands, "IPC_???"},
    {"ShmCommand", show_choice, 0, kShmCommands, "SHM_???"},
    {"SemCommand", show_choice, 0, kSemCommands, "SEM_???"},
    {"MsgCommand", show_choice, 0, kMsgCommands, "MSG_???"},
    {"ShmctlArgument", show_shm_argument},
    {"SemctlArgument", show_sem_argument},
    {"MsgctlArgument", show_msg_argument},
    {"struct sembuf", show_structure, sizeof(sembuf), kSemOperationFlags, "", kOperationFields},
    {"InMessage", show_sent_message},
    {"OutMessage", show_received_message},
    kAttributes,
    {"QueueAttributesPtr", show_queue_attributes},
};

}  // namespace

Family ipc_family() { return {kTypes}; }

}  // namespace sandbox::trace
