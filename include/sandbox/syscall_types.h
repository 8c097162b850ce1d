// The argument types of system calls: tiny, named after what Linux calls the argument, decoded from one
// register.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "sandbox/guest_ptr.h"

// Kernel ABI structs are only named here; whoever reads or writes one includes its header.
struct epoll_event;
struct io_event;
struct iocb;
struct iovec;
struct itimerspec;
struct itimerval;
struct mmsghdr;
struct mq_attr;
struct msghdr;
struct msqid_ds;
struct open_how;
struct pollfd;
struct rlimit;
struct rusage;
struct sched_attr;
struct sched_param;
struct sembuf;
struct shmid_ds;
struct sigevent;
struct sockaddr;
struct stat;
struct statfs;
struct statx;
struct sysinfo;
struct timespec;
struct timeval;
struct timex;
struct timezone;
struct tms;
struct utimbuf;
struct utsname;

namespace sandbox {

// How a decoder or the filter looks at an argument, whatever its exact type.
enum class ArgumentKind {
  kNumber,       // a plain value: size, offset, id
  kDescriptor,   // a file descriptor of the caller
  kFlags,        // a set of bits with names
  kChoice,       // one of a list of named values
  kPath,         // address of a path
  kString,       // address of another NUL-terminated string
  kInput,        // address of what the call reads
  kOutput,       // address of what the call writes
  kInputOutput,  // both
  kAddress,      // an address that is a value itself (mmap, futex)
};

// Base of every argument that is its register's low bits. `Raw` is the type the kernel declares, so
// the bits it ignores are ignored here too; it converts to its raw value without ceremony.
template <typename Raw, ArgumentKind kind>
struct ScalarArgument {
  static constexpr ArgumentKind kKind = kind;
  using RawType = Raw;
  Raw value{};
  constexpr operator Raw() const { return value; }
};

template <typename Raw>
using NumberArgument = ScalarArgument<Raw, ArgumentKind::kNumber>;
template <typename Raw>
using FlagsArgument = ScalarArgument<Raw, ArgumentKind::kFlags>;
template <typename Raw>
using ChoiceArgument = ScalarArgument<Raw, ArgumentKind::kChoice>;
using DescriptorArgument = ScalarArgument<int, ArgumentKind::kDescriptor>;

// Descriptors. Every argument that names an open descriptor by register has one of these types:
// the ptrace engine's filter protects its own descriptor by them.
struct Fd : DescriptorArgument {};
struct DirFd : DescriptorArgument {};  // or AT_FDCWD
struct PidFd : DescriptorArgument {};

// Plain values.
struct Int : NumberArgument<int> {};
struct UInt : NumberArgument<uint32_t> {};
struct Long : NumberArgument<int64_t> {};
struct ULong : NumberArgument<uint64_t> {};
struct Size : NumberArgument<uint64_t> {};   // bytes, or elements of the array argument before it
struct Offset : NumberArgument<int64_t> {};  // of a file, bytes
struct Length : NumberArgument<int> {};      // bytes, where the kernel takes an int (sockaddr, optlen)
struct Count : NumberArgument<uint32_t> {};  // elements
struct Milliseconds : NumberArgument<int> {};
struct Seconds : NumberArgument<uint32_t> {};
struct Pid : NumberArgument<int> {};
struct Uid : NumberArgument<uint32_t> {};
struct Gid : NumberArgument<uint32_t> {};
struct Mode : NumberArgument<uint16_t> {};  // umode_t: the kernel drops the bits above
struct CreationMode : Mode {};              // looked at when the flags before it make a file
struct NodeMode : Mode {};                  // with the file's type
struct UmaskMode : NumberArgument<int> {};
struct DeviceNumber : NumberArgument<uint32_t> {};
struct NodeDevice : DeviceNumber {};              // looked at when the mode before it is a device's
struct UnusedHalf : NumberArgument<uint64_t> {};  // the upper half of a 64-bit offset: 32-bit programs only
struct Hex32 : NumberArgument<uint32_t> {};
struct Hex : NumberArgument<uint64_t> {};        // a mask without names
struct MapOffset : NumberArgument<int64_t> {};   // of a mapping, bytes
struct IoPriority : NumberArgument<int> {};      // class and level
struct KcmpIndex : NumberArgument<uint64_t> {};  // a descriptor, for KCMP_FILE
struct FutexExpected : NumberArgument<uint32_t> {};
struct FutexValue : NumberArgument<uint32_t> {};  // looked at by some operations
struct TimerId : NumberArgument<int> {};
struct IpcKey : NumberArgument<int> {};
struct IpcId : NumberArgument<int> {};
struct KeySerial : NumberArgument<int> {};
struct WatchDescriptor : NumberArgument<int> {};
struct ProtectionKey : NumberArgument<int> {};
struct Priority : NumberArgument<int> {};
struct AioContext : NumberArgument<uint64_t> {};
struct MountId : NumberArgument<uint64_t> {};

// Sets of bits.
struct AccessMode : FlagsArgument<int> {};
struct AccessAtFlags : FlagsArgument<int> {};
struct AtFlags : FlagsArgument<int> {};
struct CloneFlags : FlagsArgument<uint64_t> {};
struct NamespaceFlags : FlagsArgument<uint64_t> {};  // of unshare and setns, without clone's signal
struct CloseRangeFlags : FlagsArgument<uint32_t> {};
struct EpollFlags : FlagsArgument<int> {};
struct EventFdFlags : FlagsArgument<int> {};
struct FallocateMode : FlagsArgument<int> {};
struct FanotifyFlags : FlagsArgument<uint32_t> {};
struct FutexFlags : FlagsArgument<uint32_t> {};
struct FanotifyMarkFlags : FlagsArgument<uint32_t> {};
struct FanotifyMask : FlagsArgument<uint64_t> {};
struct ExecAtFlags : FlagsArgument<int> {};
struct FsmountFlags : FlagsArgument<uint32_t> {};
struct FsopenFlags : FlagsArgument<uint32_t> {};
struct FspickFlags : FlagsArgument<uint32_t> {};
struct GenericFlags : FlagsArgument<uint32_t> {};  // Linux has defined none yet
struct HandleAtFlags : FlagsArgument<int> {};
struct InotifyFlags : FlagsArgument<int> {};
struct InotifyMask : FlagsArgument<uint32_t> {};
struct IoUringEnterFlags : FlagsArgument<uint32_t> {};
struct KexecFileFlags : FlagsArgument<uint64_t> {};
struct KexecFlags : FlagsArgument<uint64_t> {};
struct LandlockFlags : FlagsArgument<uint32_t> {};
struct LandlockRestrictFlags : FlagsArgument<uint32_t> {};
struct ListmountFlags : FlagsArgument<uint32_t> {};
struct LsmFlags : FlagsArgument<uint32_t> {};
struct MapFlags : FlagsArgument<uint64_t> {};
struct MapProtection : FlagsArgument<uint64_t> {};
struct MembarrierFlags : FlagsArgument<uint32_t> {};
struct MemfdFlags : FlagsArgument<uint32_t> {};
struct MessageFlags : FlagsArgument<int> {};  // MSG_*
struct MlockFlags : FlagsArgument<int> {};
struct MlockallFlags : FlagsArgument<int> {};
struct ModuleFlags : FlagsArgument<int> {};
struct MountAttributes : FlagsArgument<uint32_t> {};
struct MountFlags : FlagsArgument<uint64_t> {};
struct MoveMountFlags : FlagsArgument<uint32_t> {};
struct MovePagesFlags : FlagsArgument<int> {};
struct MremapFlags : FlagsArgument<uint64_t> {};
struct MsgFlags : FlagsArgument<int> {};      // IPC_* with a mode
struct MsgSendFlags : FlagsArgument<int> {};  // of msgsnd and msgrcv
struct MsyncFlags : FlagsArgument<int> {};
struct NumaFlags : FlagsArgument<uint64_t> {};
struct NumaPolicyFlags : FlagsArgument<uint64_t> {};
struct OpenFlags : FlagsArgument<int> {};
struct OpenTreeFlags : FlagsArgument<uint32_t> {};
struct PerfFlags : FlagsArgument<uint64_t> {};
struct Personality : FlagsArgument<uint32_t> {};
struct PidFdFlags : FlagsArgument<uint32_t> {};
struct PipeFlags : FlagsArgument<int> {};
struct PkeyRights : FlagsArgument<uint64_t> {};
struct RandomFlags : FlagsArgument<uint32_t> {};
struct ReadWriteFlags : FlagsArgument<int> {};  // RWF_*
struct RenameFlags : FlagsArgument<uint32_t> {};
struct RseqFlags : FlagsArgument<int> {};
struct SchedulerFlags : FlagsArgument<uint32_t> {};
struct SeccompFlags : FlagsArgument<uint32_t> {};
struct SecretFlags : FlagsArgument<uint32_t> {};
struct SemFlags : FlagsArgument<int> {};  // IPC_* with a mode
struct ShadowStackFlags : FlagsArgument<uint32_t> {};
struct ShmFlags : FlagsArgument<int> {};  // IPC_* and SHM_* with a mode
struct ShmatFlags : FlagsArgument<int> {};
struct SignalFdFlags : FlagsArgument<int> {};
struct SocketFlags : FlagsArgument<int> {};  // of accept4
struct SpliceFlags : FlagsArgument<uint32_t> {};
struct StatxAtFlags : FlagsArgument<int> {};
struct StatxMask : FlagsArgument<uint32_t> {};
struct SwapFlags : FlagsArgument<int> {};
struct SyncRangeFlags : FlagsArgument<uint32_t> {};
struct TimerFdFlags : FlagsArgument<int> {};
struct TimerFlags : FlagsArgument<int> {};
struct UmountFlags : FlagsArgument<int> {};
struct UserfaultFlags : FlagsArgument<int> {};
struct WaitOptions : FlagsArgument<int> {};
struct XattrFlags : FlagsArgument<int> {};

// One of a list.
struct LsmId : ChoiceArgument<uint64_t> {};
struct ArchPrctlOption : ChoiceArgument<int> {};
struct BpfCommand : ChoiceArgument<int> {};
struct ClockId : ChoiceArgument<int> {};
struct EpollOperation : ChoiceArgument<int> {};
struct FadviseAdvice : ChoiceArgument<int> {};
struct FcntlCommand : ChoiceArgument<uint32_t> {};
struct FlockOperation : ChoiceArgument<uint32_t> {};
struct FsconfigCommand : ChoiceArgument<uint32_t> {};
struct FutexOperation : ChoiceArgument<int> {};
struct IoUringOpcode : ChoiceArgument<uint32_t> {};
struct IoctlRequest : ChoiceArgument<uint32_t> {};
struct IoprioWhich : ChoiceArgument<int> {};
struct ShmCommand : ChoiceArgument<int> {};
struct SemCommand : ChoiceArgument<int> {};
struct MsgCommand : ChoiceArgument<int> {};
struct ItimerWhich : ChoiceArgument<int> {};
struct KcmpType : ChoiceArgument<int> {};
struct KeyctlCommand : ChoiceArgument<int> {};
struct LandlockRuleType : ChoiceArgument<uint32_t> {};
struct LsmAttribute : ChoiceArgument<uint32_t> {};
struct MadviseAdvice : ChoiceArgument<int> {};
struct MembarrierCommand : ChoiceArgument<int> {};
struct NumaMode : ChoiceArgument<int> {};
struct PrctlOption : ChoiceArgument<int> {};
struct PriorityWhich : ChoiceArgument<int> {};
struct PtraceRequest : ChoiceArgument<int64_t> {};
struct QuotactlCommand : ChoiceArgument<uint32_t> {};
struct RebootCommand : ChoiceArgument<uint32_t> {};
struct RebootMagic : ChoiceArgument<int> {};
struct RlimitResource : ChoiceArgument<uint32_t> {};
struct RusageWho : ChoiceArgument<int> {};
struct SchedulerPolicy : ChoiceArgument<int> {};
struct SeccompOperation : ChoiceArgument<uint32_t> {};
struct ShutdownHow : ChoiceArgument<int> {};
struct SignalHow : ChoiceArgument<int> {};
struct SignalNumber : ChoiceArgument<int> {};
struct SocketDomain : ChoiceArgument<int> {};
struct SocketLevel : ChoiceArgument<int> {};
struct SocketOption : ChoiceArgument<int> {};
struct SocketProtocol : ChoiceArgument<int> {};
struct SocketType : ChoiceArgument<int> {};  // with SOCK_CLOEXEC and SOCK_NONBLOCK
struct SyslogAction : ChoiceArgument<int> {};
struct WaitIdType : ChoiceArgument<int> {};
struct Whence : ChoiceArgument<uint32_t> {};

// Results that are more than one of the types above (a row's return type tells how to print it).
struct Status : NumberArgument<int> {};  // 0
struct ByteCount : NumberArgument<int64_t> {};
struct NoReturn : NumberArgument<int> {};
struct FcntlResult : NumberArgument<int64_t> {};    // as the command says
struct PersonalityResult : NumberArgument<int> {};  // flags
struct IoctlResult : NumberArgument<int> {};        // as the request says
struct PrctlResult : NumberArgument<int> {};        // as the option says
struct SchedulerPolicyResult : NumberArgument<int> {};
struct ClockState : NumberArgument<int> {};  // TIME_OK and its like
struct ReapedPid : NumberArgument<int> {};   // 0: there was none, and nothing is written

// An address that is the value: where to map, which word to wait on.
struct Address : ScalarArgument<uint64_t, ArgumentKind::kAddress> {};
struct NewAddress : Address {};    // looked at when the flags before it say so
struct FutexAddress : Address {};  // looked at by some operations
struct StackAddress : Address {};
struct TlsAddress : Address {};  // looked at when clone's flags say so

// A register that is a number or an address, as another argument says.
template <typename Raw>
using VariantArgument = ScalarArgument<Raw, ArgumentKind::kInputOutput>;
struct FcntlArgument : VariantArgument<uint64_t> {};
struct KeyctlArgument2 : VariantArgument<uint64_t> {};
struct KeyctlArgument3 : VariantArgument<uint64_t> {};
struct KeyctlArgument4 : VariantArgument<uint64_t> {};
struct KeyctlArgument5 : VariantArgument<uint64_t> {};
struct PrctlArgument2 : VariantArgument<uint64_t> {};
struct PrctlArgument3 : VariantArgument<uint64_t> {};
struct PrctlArgument4 : VariantArgument<uint64_t> {};
struct PrctlArgument5 : VariantArgument<uint64_t> {};
struct PtraceAddress : VariantArgument<uint64_t> {};
struct PtraceData : VariantArgument<uint64_t> {};

// Memory of the caller.
struct PathPtr : GuestPtr<const char> {
  static constexpr ArgumentKind kKind = ArgumentKind::kPath;
};
struct StringPtr : GuestPtr<const char> {
  static constexpr ArgumentKind kKind = ArgumentKind::kString;
};
struct StringArrayPtr : GuestPtr<const GuestPtr<const char>> {};  // ends with a null pointer
struct EnvironmentPtr : StringArrayPtr {};

template <typename T>
using In = GuestPtr<const T>;
template <typename T>
using Out = GuestPtr<T>;
template <typename T>
struct InOut : GuestPtr<T> {
  static constexpr ArgumentKind kKind = ArgumentKind::kInputOutput;
};

// Arrays. InArray, InOutArray: the next argument counts the elements; OutArray: the call's result does.
template <typename T>
struct InArray : GuestPtr<const T> {};
template <typename T>
struct OutArray : GuestPtr<T> {};
template <typename T>
struct InOutArray : InOut<T> {};
template <typename T>
struct InPair : GuestPtr<const T> {};
// Written only when a signal ends the wait.
template <typename T>
struct Remainder : GuestPtr<T> {};
// A timeout that becomes what was left of it.
template <typename T>
struct TimeLeft : InOut<T> {};

// Bytes whose number is the next argument. OutBytes: of them, the call's result are written.
struct InBytes : GuestPtr<const std::byte> {};
struct OutBytes : GuestPtr<std::byte> {};
// The same for arrays of iovec; what the vectors name is read (In) or written (Out).
struct InVector : GuestPtr<const iovec> {};
struct OutVector : GuestPtr<const iovec> {
  static constexpr ArgumentKind kKind = ArgumentKind::kOutput;
};
struct InSockaddr : GuestPtr<const sockaddr> {};  // its length is the next argument
struct OutSockaddr : GuestPtr<sockaddr> {};       // its length is what the next argument points to
struct DirentBytes : GuestPtr<std::byte> {};      // struct linux_dirent64 records
struct OldDirentBytes : DirentBytes {};           // struct linux_dirent records
struct SignalSetPtr : GuestPtr<const uint64_t> {};
struct OutSignalSet : GuestPtr<uint64_t> {};
struct CpuSetPtr : GuestPtr<const std::byte> {};  // its length is the argument before
struct OutCpuSet : GuestPtr<std::byte> {};
struct DescriptorSet : GuestPtr<uint64_t> {  // fd_set
  static constexpr ArgumentKind kKind = ArgumentKind::kInputOutput;
};
struct DescriptorPair : GuestPtr<int> {};  // two descriptors are written
struct OutPath : OutBytes {};              // a path with its NUL
struct RandomBytes : OutBytes {};
struct ParentTidPtr : InOut<int> {};  // or the child's pidfd
struct ChildTidPtr : InOut<int> {};
struct OutWaitStatus : GuestPtr<int> {};
struct SchedAttributesPtr : GuestPtr<const sched_attr> {};
struct OutSchedAttributes : GuestPtr<sched_attr> {};
struct InPages : GuestPtr<const uint64_t> {};
struct InNodes : GuestPtr<const int> {};
struct OutPageStatus : GuestPtr<int> {};
struct ResidencyBytes : GuestPtr<std::byte> {};
struct RemoteVector : GuestPtr<const iovec> {};  // of addresses in another process
struct InMessage : GuestPtr<const void> {};      // struct msgbuf; the next argument is its text's size
struct OutMessage : GuestPtr<void> {};
struct OutMessageHeader : InOut<msghdr> {};
struct InMessages : InOut<mmsghdr> {};  // sendmmsg
struct OutMessages : InOut<mmsghdr> {};
struct PollSet : InOut<pollfd> {};
struct SignalSetArgument : GuestPtr<const void> {};  // address and size of a set
struct InGroups : GuestPtr<const uint32_t> {};       // the argument before counts them
struct OutGroups : GuestPtr<uint32_t> {};
struct InOption : InBytes {};  // of a socket, as level and name say
struct OutOption : OutBytes {
  static constexpr ArgumentKind kKind = ArgumentKind::kInputOutput;
};
struct FileTimesPtr : GuestPtr<const timespec> {};  // two, with UTIME_NOW and UTIME_OMIT
struct OpenHowPtr : GuestPtr<const open_how> {};    // its size is the next argument
struct EpollEventPtr : GuestPtr<const epoll_event> {};
struct QueueAttributesPtr : GuestPtr<const mq_attr> {};  // looked at when the flags make a queue
struct NodeMaskPtr : GuestPtr<const uint64_t> {};        // the next argument counts its bits
struct OutNodeMask : GuestPtr<uint64_t> {};
struct CountedNodeMaskPtr : GuestPtr<const uint64_t> {};  // the second argument counts its bits
struct AnyPtr : GuestPtr<void> {                          // what it points to depends on another argument
  static constexpr ArgumentKind kKind = ArgumentKind::kInputOutput;
};
struct ArchPrctlArgument : AnyPtr {};
struct BpfAttributes : AnyPtr {};
struct FsconfigValue : AnyPtr {};
struct IoUringArgument : AnyPtr {};
struct IoUringEnterArgument : AnyPtr {};
struct IoctlArgument : AnyPtr {};
struct MountData : AnyPtr {};
struct MsgctlArgument : AnyPtr {};
struct QuotactlArgument : AnyPtr {};
struct RebootArgument : AnyPtr {};
struct SeccompArgument : AnyPtr {};
struct SemctlArgument : AnyPtr {};
struct ShmctlArgument : AnyPtr {};
struct FutexTimeout : GuestPtr<const timespec> {};  // or a number, or nothing

// ABI structs that libc has no type for, or has another one. Opaque: only their address is an argument.
struct KernelSigaction;
struct KernelSiginfo;
struct KernelStack;
struct CapabilityHeader;
struct CapabilityData;
struct Cachestat;
struct CachestatRange;
struct CloneArguments;
struct FileAttributes;  // struct file_attr, Linux 6.17
struct FileHandle;
struct FutexWaiter;  // struct futex_waitv
struct IoUringParams;
struct MountIdRequest;
struct StatmountHeader;
struct XattrArguments;  // struct xattr_args, Linux 6.13

struct AioRequests : GuestPtr<const GuestPtr<iocb>> {};  // the argument before counts them
struct CloneArgumentsPtr : GuestPtr<const CloneArguments> {};
struct FileHandlePtr : InOut<FileHandle> {};
struct InFileHandlePtr : GuestPtr<const FileHandle> {};
struct InCapabilities : GuestPtr<const CapabilityData> {};  // as many as the header's version says
struct OutCapabilities : GuestPtr<CapabilityData> {};
struct KexecSegments : GuestPtr<const void> {};
struct LandlockRulePtr : GuestPtr<const void> {};     // as the type before it says
struct LandlockRulesetPtr : GuestPtr<const void> {};  // its size is the next argument
struct MountAttributesPtr : GuestPtr<const void> {};  // its size is the next argument
struct PerfAttributesPtr : GuestPtr<const void> {};
struct InLsmContext : GuestPtr<const void> {};  // its size is the next argument
struct LsmContext : GuestPtr<void> {};

namespace detail {
template <typename T>
constexpr bool is_guest_pointer(const GuestPtr<T>*) {
  return true;
}
constexpr bool is_guest_pointer(const void*) { return false; }
template <typename T>
constexpr bool points_to_const(const GuestPtr<T>*) {
  return std::is_const_v<T>;
}
}  // namespace detail

template <typename T>
constexpr ArgumentKind argument_kind() {
  if constexpr (requires { T::kKind; }) {
    return T::kKind;
  } else {
    return detail::points_to_const(static_cast<T*>(nullptr)) ? ArgumentKind::kInput : ArgumentKind::kOutput;
  }
}

// Significant bytes of the register: what the kernel looks at.
template <typename T>
constexpr unsigned argument_width() {
  if constexpr (requires { typename T::RawType; }) {
    return sizeof(typename T::RawType);
  } else {
    return sizeof(uint64_t);
  }
}

template <typename T>
constexpr bool argument_is_signed() {
  if constexpr (requires { typename T::RawType; }) {
    return std::is_signed_v<typename T::RawType>;
  } else {
    return false;
  }
}

// The argument that a register holds.
template <typename T>
constexpr T decode(uint64_t register_value) {
  T argument{};
  if constexpr (detail::is_guest_pointer(static_cast<T*>(nullptr))) {
    argument.address = register_value;
  } else {
    argument.value = static_cast<typename T::RawType>(register_value);
  }
  return argument;
}

namespace detail {
template <typename Result, typename Call, typename Signature>
struct HandlerType;
template <typename Result, typename Call, typename Returned, typename... Arguments>
struct HandlerType<Result, Call, Returned(Arguments...)> {
  using Type = Result(Call&, Arguments...);
};
}  // namespace detail

// The handler's function type for a row's signature: `Result(Call&, arguments...)`. It declares:
//   #define SYSCALL(number, name, policy, signature, note) HandlerOf<SyscallResult, Call, signature>
//   sys_##name;
template <typename Result, typename Call, typename Signature>
using HandlerOf = typename detail::HandlerType<Result, Call, Signature>::Type;

// Calls a handler with each register decoded to its argument's type.
template <typename Result, typename Call, typename... Arguments>
Result call_handler(Result (*handler)(Call&, Arguments...), Call& call,
                    const std::array<uint64_t, 6>& registers) {
  static_assert(sizeof...(Arguments) <= 6);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return handler(call, decode<Arguments>(registers[I])...);
  }(std::index_sequence_for<Arguments...>{});
}

}  // namespace sandbox
