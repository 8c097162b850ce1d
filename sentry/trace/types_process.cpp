// Processes: clone, wait, limits, usage, scheduling.
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/signal_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kCloneFlags[] = {NAME(CLONE_VM),
                                NAME(CLONE_FS),
                                NAME(CLONE_FILES),
                                NAME(CLONE_SIGHAND),
                                NAME(CLONE_PIDFD),
                                NAME(CLONE_PTRACE),
                                NAME(CLONE_VFORK),
                                NAME(CLONE_PARENT),
                                NAME(CLONE_THREAD),
                                NAME(CLONE_NEWNS),
                                NAME(CLONE_SYSVSEM),
                                NAME(CLONE_SETTLS),
                                NAME(CLONE_PARENT_SETTID),
                                NAME(CLONE_CHILD_CLEARTID),
                                NAME(CLONE_DETACHED),
                                NAME(CLONE_UNTRACED),
                                NAME(CLONE_CHILD_SETTID),
                                NAME(CLONE_NEWCGROUP),
                                NAME(CLONE_NEWUTS),
                                NAME(CLONE_NEWIPC),
                                NAME(CLONE_NEWUSER),
                                NAME(CLONE_NEWPID),
                                NAME(CLONE_NEWNET),
                                NAME(CLONE_IO),
                                NAME(CLONE_CLEAR_SIGHAND),
                                NAME(CLONE_INTO_CGROUP)};
// clone keeps the exit signal in the bits where unshare and setns have this one.
constexpr Name kTimeNamespace[] = {NAME(CLONE_NEWTIME)};

Value clone_flags(uint64_t number, uint64_t signal_bits) {
  Value value = flags_value(number & ~signal_bits, kCloneFlags, "CLONE_???");
  value.number = number;
  if (const auto signal = static_cast<int>(number & signal_bits); signal != 0) {
    const std::string name = signal_name(signal);
    if (!value.text.empty()) value.text += '|';
    value.text += name.empty() ? decimal(signal) : name;
  }
  return value;
}

// strace names each argument of clone, whose order differs between machines.
Value labelled(Value value) {
  value.shows_name = true;
  return value;
}

Value show_clone_flags(Scope&, const Type&, const Source& source) {
  return labelled(clone_flags(source.number, CSIGNAL));
}

Value show_stack(Scope&, const Type&, const Source& source) {
  return labelled(Value::address(source.number));
}

Value show_namespace_flags(Scope&, const Type& type, const Source& source) {
  Value value = flags_value(source.number & ~CLONE_NEWTIME, kCloneFlags, type.unknown);
  value.number = source.number;
  if (source.number & CLONE_NEWTIME) value.text += value.text.empty() ? "CLONE_NEWTIME" : "|CLONE_NEWTIME";
  return value;
}

// clone's pointers that it only looks at when its flags say so.
template <uint64_t kFlags>
Value show_clone_address(Scope& scope, const Type&, const Source& source) {
  return (scope.argument(0) & kFlags) != 0 ? labelled(Value::address(source.number)) : Value{};
}

Value show_parent_tid(Scope& scope, const Type&, const Source& source) {
  if ((scope.argument(0) & (CLONE_PARENT_SETTID | CLONE_PIDFD)) == 0) return {};
  static constexpr Type kTid{"", show_signed, 4};
  return labelled(scope.is_exit() ? scope.pointer(kTid, source.number) : Value::pending());
}

Value show_clone_arguments(Scope& scope, const Type&, const Source& source) {
  const uint64_t size = scope.argument_after();
  if (source.number == 0 || size < CLONE_ARGS_SIZE_VER0) return Value::address(source.number);
  const auto arguments = scope.read_prefix<clone_args>(source.number, size);
  if (!arguments) return Value::address(source.number);
  Value value = Value::structure();
  value.add("flags", flags_value(arguments->flags, kCloneFlags, "CLONE_???"));
  if (arguments->flags & CLONE_PIDFD) value.add("pidfd", Value::address(arguments->pidfd));
  if (arguments->flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
    value.add("child_tid", Value::address(arguments->child_tid));
  if (arguments->flags & CLONE_PARENT_SETTID) value.add("parent_tid", Value::address(arguments->parent_tid));
  value.add("exit_signal", signal_value(static_cast<int>(arguments->exit_signal)));
  value.add("stack", Value::address(arguments->stack));
  value.add("stack_size", Value::hex(arguments->stack_size));
  if (arguments->flags & CLONE_SETTLS) value.add("tls", Value::address(arguments->tls));
  if (arguments->set_tid_size != 0)
    value.add("set_tid", scope.array(kProcessId, arguments->set_tid, arguments->set_tid_size));
  if (arguments->flags & CLONE_INTO_CGROUP)
    value.add("cgroup", scope.descriptor(static_cast<int>(arguments->cgroup)));
  return value;
}

// ---- wait ----
constexpr Name kWaitOptions[] = {
    NAME(WNOHANG), NAME(WSTOPPED),         NAME(WEXITED),      NAME(WCONTINUED),
    NAME(WNOWAIT), {"__WCLONE", __WCLONE}, {"__WALL", __WALL}, {"__WNOTHREAD", __WNOTHREAD}};
constexpr Name kOldWaitOptions[] = {NAME(WUNTRACED)};
constexpr Name kWaitTypes[] = {NAME(P_ALL), NAME(P_PID), NAME(P_PGID), NAME(P_PIDFD)};

Value show_wait_status(Scope&, const Type&, const Source& source) {
  const auto status = static_cast<int>(source.number);
  const auto in_words = [](int signal) {
    const std::string name = signal_name(signal);
    return name.empty() ? decimal(signal) : name;
  };
  std::string text;
  if (WIFSTOPPED(status)) {
    text = "WIFSTOPPED(s) && WSTOPSIG(s) == " + in_words(WSTOPSIG(status) & 0x7f);
    if (WSTOPSIG(status) & 0x80) text += " | 0x80";
    if (status >> 16 != 0) text += " && s >> 16 == " + hex(static_cast<uint32_t>(status) >> 16);
  } else if (WIFSIGNALED(status)) {
    text = "WIFSIGNALED(s) && WTERMSIG(s) == " + in_words(WTERMSIG(status));
    if (WCOREDUMP(status)) text += " && WCOREDUMP(s)";
  } else if (WIFEXITED(status)) {
    text = "WIFEXITED(s) && WEXITSTATUS(s) == " + decimal(WEXITSTATUS(status));
  } else if (WIFCONTINUED(status)) {
    text = "WIFCONTINUED(s)";
  } else {
    return Value::hex(static_cast<uint32_t>(status));
  }
  return Value::expression("{" + text + "}", Value::integer(status));
}

// strace has the status in brackets, as any number behind a pointer.
Value show_status_pointer(Scope& scope, const Type&, const Source& source) {
  const auto status = scope.read<int>(source.number);
  if (!status) return Value::address(source.number);
  Value array = Value::array();
  array.add(show_wait_status(scope, {}, {static_cast<uint64_t>(*status), 4, {}}));
  return array;
}

using Rusage = struct rusage;
constexpr Field kRusageFields[] = {FIELD(Rusage, ru_utime, kTimeval),
                                   FIELD(Rusage, ru_stime, kTimeval),
                                   VERBOSE_FIELD(Rusage, ru_maxrss, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_ixrss, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_idrss, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_isrss, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_minflt, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_majflt, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_nswap, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_inblock, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_oublock, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_msgsnd, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_msgrcv, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_nsignals, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_nvcsw, kUnsignedNumber),
                                   VERBOSE_FIELD(Rusage, ru_nivcsw, kUnsignedNumber)};
constexpr Name kUsageWhos[] = {NAME(RUSAGE_SELF), NAME(RUSAGE_CHILDREN), NAME(RUSAGE_THREAD)};

// ---- limits ----
constexpr Name kLimits[] = {
    NAME(RLIMIT_CPU),      NAME(RLIMIT_FSIZE), NAME(RLIMIT_DATA),   NAME(RLIMIT_STACK),
    NAME(RLIMIT_CORE),     NAME(RLIMIT_RSS),   NAME(RLIMIT_NPROC),  NAME(RLIMIT_NOFILE),
    NAME(RLIMIT_MEMLOCK),  NAME(RLIMIT_AS),    NAME(RLIMIT_LOCKS),  NAME(RLIMIT_SIGPENDING),
    NAME(RLIMIT_MSGQUEUE), NAME(RLIMIT_NICE),  NAME(RLIMIT_RTPRIO), NAME(RLIMIT_RTTIME)};

Value show_limit(Scope&, const Type&, const Source& source) {
  constexpr uint64_t kKilo = 1024;
  if (source.number == RLIM_INFINITY)
    return Value::expression("RLIM64_INFINITY", Value::natural(source.number));
  if (source.number > kKilo && source.number % kKilo == 0)
    return Value::expression(natural(source.number / kKilo) + "*1024", Value::natural(source.number));
  return Value::natural(source.number);
}
constexpr Type kLimit{"", show_limit};
using Rlimit = struct rlimit;
constexpr Field kRlimitFields[] = {FIELD(Rlimit, rlim_cur, kLimit), FIELD(Rlimit, rlim_max, kLimit)};

// ---- scheduling ----
constexpr uint64_t kPolicyBits = 0xff;
constexpr Name kPolicies[] = {{"SCHED_OTHER", 0, kPolicyBits},      MASKED_NAME(SCHED_FIFO, kPolicyBits),
                              MASKED_NAME(SCHED_RR, kPolicyBits),   MASKED_NAME(SCHED_BATCH, kPolicyBits),
                              MASKED_NAME(SCHED_IDLE, kPolicyBits), MASKED_NAME(SCHED_DEADLINE, kPolicyBits),
                              {"SCHED_EXT", 7, kPolicyBits},        NAME(SCHED_RESET_ON_FORK)};
constexpr Name kSchedulerFlags[] = {NAME(SCHED_FLAG_RESET_ON_FORK), NAME(SCHED_FLAG_RECLAIM),
                                    NAME(SCHED_FLAG_DL_OVERRUN),    NAME(SCHED_FLAG_KEEP_POLICY),
                                    NAME(SCHED_FLAG_KEEP_PARAMS),   NAME(SCHED_FLAG_UTIL_CLAMP_MIN),
                                    NAME(SCHED_FLAG_UTIL_CLAMP_MAX)};
constexpr Type kPolicy{"SchedulerPolicy", show_flags, 4, kPolicies, "SCHED_???"};
constexpr Type kSchedulerFlagNames{"", show_flags, 8, kSchedulerFlags, "SCHED_FLAG_???"};

// A result: the policy's name as a remark, like the kernel's number beside it.
Value show_policy_result(Scope& scope, const Type&, const Source& source) {
  scope.remark({}, flags_value(source.number, kPolicies, "SCHED_???"));
  return Value::hex(source.number);
}

struct SchedAttr {
  uint32_t size, sched_policy;
  uint64_t sched_flags;
  int32_t sched_nice;
  uint32_t sched_priority;
  uint64_t sched_runtime, sched_deadline, sched_period;
  uint32_t sched_util_min, sched_util_max;
};
constexpr Field kSchedAttrFields[] = {FIELD(SchedAttr, size, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_policy, kPolicy),
                                      FIELD(SchedAttr, sched_flags, kSchedulerFlagNames),
                                      FIELD(SchedAttr, sched_nice, kSignedNumber),
                                      FIELD(SchedAttr, sched_priority, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_runtime, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_deadline, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_period, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_util_min, kUnsignedNumber),
                                      FIELD(SchedAttr, sched_util_max, kUnsignedNumber)};

// The kernel's struct is 48 or 56 bytes by the version that its first field or the caller says.
Value show_sched_attr(Scope& scope, const Type&, const Source& source) {
  constexpr uint32_t kFirstVersion = 48;
  if (source.number == 0) return Value::address(0);
  const auto size = scope.read<uint32_t>(source.number);
  if (!size) return Value::address(source.number);
  const auto bytes =
      scope.read_prefix<SchedAttr>(source.number, *size < kFirstVersion ? kFirstVersion : *size);
  if (!bytes) return Value::address(source.number);
  const Type layout{"", show_structure, 0, {}, "", kSchedAttrFields};
  const size_t known = std::clamp<size_t>(*size, kFirstVersion, sizeof(SchedAttr));
  return scope.show_bytes(layout, std::as_bytes(std::span(&*bytes, 1)).first(known));
}

Value cpu_set(Scope& scope, uint64_t address, uint64_t size) {
  constexpr size_t kMostBytes = 1024, kBits = 8;
  std::vector<std::byte> bytes(std::min<uint64_t>(size, kMostBytes));
  if (address == 0 || !scope.read(address, bytes)) return Value::address(address);
  Value set;
  set.kind = Value::Kind::kSet;
  for (size_t cpu = 0; cpu < bytes.size() * kBits; ++cpu)
    if ((static_cast<unsigned>(bytes[cpu / kBits]) >> (cpu % kBits)) & 1) set.add(Value::natural(cpu));
  return set;
}

Value show_input_cpus(Scope& scope, const Type&, const Source& source) {
  return cpu_set(scope, source.number, scope.argument_before());
}
Value show_output_cpus(Scope& scope, const Type&, const Source& source) {
  return cpu_set(scope, source.number, static_cast<uint64_t>(scope.result()));
}

constexpr Name kPriorityWhichs[] = {NAME(PRIO_PROCESS), NAME(PRIO_PGRP), NAME(PRIO_USER)};
constexpr Name kIoprioWhichs[] = {{"IOPRIO_WHO_PROCESS", 1}, {"IOPRIO_WHO_PGRP", 2}, {"IOPRIO_WHO_USER", 3}};
constexpr Name kIoprioClasses[] = {
    {"IOPRIO_CLASS_NONE", 0}, {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};

Value show_io_priority(Scope&, const Type&, const Source& source) {
  constexpr unsigned kClassShift = 13, kLevelMask = (1 << kClassShift) - 1;
  const auto priority = static_cast<uint32_t>(source.number);
  const char* name = name_of(priority >> kClassShift, 4, kIoprioClasses);
  return Value::expression("IOPRIO_PRIO_VALUE(" +
                               (name != nullptr ? std::string(name) : hex(priority >> kClassShift)) + ", " +
                               natural(priority & kLevelMask) + ")",
                           Value::natural(priority));
}

constexpr Name kKcmpTypes[] = {NAME(KCMP_FILE),    NAME(KCMP_VM), NAME(KCMP_FILES),   NAME(KCMP_FS),
                               NAME(KCMP_SIGHAND), NAME(KCMP_IO), NAME(KCMP_SYSVSEM), NAME(KCMP_EPOLL_TFD)};
Value show_kcmp_index(Scope& scope, const Type&, const Source& source) {
  const uint64_t kind = scope.argument(2);
  if (kind == KCMP_FILE) return scope.descriptor(static_cast<int>(source.number));
  return kind == KCMP_EPOLL_TFD ? Value::address(source.number) : Value{};
}

constexpr Name kMembarrierCommands[] = {NAME(MEMBARRIER_CMD_QUERY),
                                        NAME(MEMBARRIER_CMD_GLOBAL),
                                        NAME(MEMBARRIER_CMD_GLOBAL_EXPEDITED),
                                        NAME(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED),
                                        NAME(MEMBARRIER_CMD_PRIVATE_EXPEDITED),
                                        NAME(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED),
                                        NAME(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE),
                                        NAME(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE),
                                        NAME(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ),
                                        NAME(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ),
                                        {"MEMBARRIER_CMD_GET_REGISTRATIONS", 512}};
constexpr Name kMembarrierFlags[] = {{"MEMBARRIER_CMD_FLAG_CPU", 1}};

// ---- what else makes or names something ----
constexpr Name kPidFdFlags[] = {{"PIDFD_NONBLOCK", 04000},
                                {"PIDFD_THREAD", 0200},
                                {"PIDFD_SIGNAL_THREAD", 1},
                                {"PIDFD_SIGNAL_THREAD_GROUP", 2},
                                {"PIDFD_SIGNAL_PROCESS_GROUP", 4}};
constexpr Name kCloseRangeFlags[] = {{"CLOSE_RANGE_UNSHARE", 2}, {"CLOSE_RANGE_CLOEXEC", 4}};
constexpr Name kPipeFlags[] = {
    {"O_NONBLOCK", 04000}, {"O_DIRECT", 040000}, {"O_CLOEXEC", 02000000}, {"O_NOTIFICATION_PIPE", 0200}};
constexpr Name kRandomFlags[] = {{"GRND_NONBLOCK", 1}, {"GRND_RANDOM", 2}, {"GRND_INSECURE", 4}};

constexpr Name kRseqFlags[] = {{"RSEQ_FLAG_UNREGISTER", 1}};

}  // namespace

constexpr Type kCloneFlagNames{"CloneFlags", show_clone_flags, 8, kCloneFlags, "CLONE_???"};

namespace {

constexpr Type kTypes[] = {
    kCloneFlagNames,
    {"NamespaceFlags", show_namespace_flags, 8, kTimeNamespace, "CLONE_???"},
    {"StackAddress", show_stack},
    {"ChildTidPtr", show_clone_address<CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID>},
    {"ParentTidPtr", show_parent_tid},
    {"TlsAddress", show_clone_address<CLONE_SETTLS>},
    {"CloneArgumentsPtr", show_clone_arguments},
    {"WaitOptions", show_flags, 4, kWaitOptions, "W???"},
    {"WaitIdType", show_choice, 4, kWaitTypes, "P_???"},
    {.name = "OutWaitStatus", .show = show_status_pointer, .output_bytes = sizeof(int)},
    {"ReapedPid", show_signed},
    {"struct rusage", show_structure, sizeof(Rusage), {}, "", kRusageFields},
    {"RusageWho", show_choice, 4, kUsageWhos, "RUSAGE_???"},
    {"RlimitResource", show_choice, 4, kLimits, "RLIMIT_???"},
    {"struct rlimit", show_structure, sizeof(Rlimit), {}, "", kRlimitFields},
    kPolicy,
    {"SchedulerPolicyResult", show_policy_result},
    {"SchedulerFlags", show_flags, 8, kSchedulerFlags, "SCHED_FLAG_???"},
    {"struct sched_param", show_signed, 4},
    {"SchedAttributesPtr", show_sched_attr},
    {"OutSchedAttributes", show_sched_attr},
    {"CpuSetPtr", show_input_cpus},
    {"OutCpuSet", show_output_cpus},
    {"PriorityWhich", show_choice, 4, kPriorityWhichs, "PRIO_???"},
    {"IoprioWhich", show_choice, 4, kIoprioWhichs, "IOPRIO_WHO_???"},
    {"IoPriority", show_io_priority, 4, kIoprioClasses},
    {"KcmpType", show_choice, 4, kKcmpTypes, "KCMP_???"},
    {"KcmpIndex", show_kcmp_index},
    {"MembarrierCommand", show_choice, 4, kMembarrierCommands, "MEMBARRIER_CMD_???"},
    {"MembarrierFlags", show_flags, 4, kMembarrierFlags, "MEMBARRIER_CMD_FLAG_???"},
    {"PidFdFlags", show_flags, 4, kPidFdFlags, "PIDFD_???"},
    {"CloseRangeFlags", show_flags, 4, kCloseRangeFlags, "CLOSE_RANGE_???"},
    {"PipeFlags", show_flags, 4, kPipeFlags, "O_???"},
    {"RandomFlags", show_flags, 4, kRandomFlags, "GRND_???"},
    {"RseqFlags", show_flags, 4, kRseqFlags, "RSEQ_FLAG_???"},
};
constexpr Names kMoreNames[] = {kOldWaitOptions, kSchedulerFlags};

}  // namespace

Family process_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
