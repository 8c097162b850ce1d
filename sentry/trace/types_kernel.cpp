// Keys, security modules, landlock, perf, modules, kexec, userfaultfd, ptrace, the kernel's log.
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <sys/user.h>

#include "sentry/trace/families.h"
#include "sentry/trace/signal_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

// ---- keys ----
constexpr Name kSpecialKeys[] = {NAME(KEY_SPEC_THREAD_KEYRING),       NAME(KEY_SPEC_PROCESS_KEYRING),
                                 NAME(KEY_SPEC_SESSION_KEYRING),      NAME(KEY_SPEC_USER_KEYRING),
                                 NAME(KEY_SPEC_USER_SESSION_KEYRING), NAME(KEY_SPEC_GROUP_KEYRING),
                                 NAME(KEY_SPEC_REQKEY_AUTH_KEY),      NAME(KEY_SPEC_REQUESTOR_KEYRING)};
constexpr Name kKeyCommands[] = {NAME(KEYCTL_GET_KEYRING_ID),
                                 NAME(KEYCTL_JOIN_SESSION_KEYRING),
                                 NAME(KEYCTL_UPDATE),
                                 NAME(KEYCTL_REVOKE),
                                 NAME(KEYCTL_CHOWN),
                                 NAME(KEYCTL_SETPERM),
                                 NAME(KEYCTL_DESCRIBE),
                                 NAME(KEYCTL_CLEAR),
                                 NAME(KEYCTL_LINK),
                                 NAME(KEYCTL_UNLINK),
                                 NAME(KEYCTL_SEARCH),
                                 NAME(KEYCTL_READ),
                                 NAME(KEYCTL_INSTANTIATE),
                                 NAME(KEYCTL_NEGATE),
                                 NAME(KEYCTL_SET_REQKEY_KEYRING),
                                 NAME(KEYCTL_SET_TIMEOUT),
                                 NAME(KEYCTL_ASSUME_AUTHORITY),
                                 NAME(KEYCTL_GET_SECURITY),
                                 NAME(KEYCTL_SESSION_TO_PARENT),
                                 NAME(KEYCTL_REJECT),
                                 NAME(KEYCTL_INSTANTIATE_IOV),
                                 NAME(KEYCTL_INVALIDATE),
                                 NAME(KEYCTL_GET_PERSISTENT),
                                 NAME(KEYCTL_DH_COMPUTE),
                                 NAME(KEYCTL_PKEY_QUERY),
                                 NAME(KEYCTL_PKEY_ENCRYPT),
                                 NAME(KEYCTL_PKEY_DECRYPT),
                                 NAME(KEYCTL_PKEY_SIGN),
                                 NAME(KEYCTL_PKEY_VERIFY),
                                 NAME(KEYCTL_RESTRICT_KEYRING),
                                 NAME(KEYCTL_MOVE),
                                 NAME(KEYCTL_CAPABILITIES),
                                 NAME(KEYCTL_WATCH_KEY)};

Value show_key(Scope&, const Type&, const Source& source) {
  const auto key = static_cast<int>(source.number);
  const char* name = name_of(source.number, 4, kSpecialKeys);
  return name != nullptr ? Value::expression(name, Value::integer(key)) : Value::integer(key);
}

// What each argument of a command is: k a key, n a number, s a string, b an input buffer whose size follows,
// o an output buffer, u a user, g a group, x a number in hexadecimal.
struct KeyCommandPlan {
  uint64_t command;
  const char* arguments;
};
constexpr KeyCommandPlan kKeyPlans[] = {{KEYCTL_GET_KEYRING_ID, "kn"},
                                        {KEYCTL_JOIN_SESSION_KEYRING, "s"},
                                        {KEYCTL_UPDATE, "kbn"},
                                        {KEYCTL_REVOKE, "k"},
                                        {KEYCTL_CHOWN, "kug"},
                                        {KEYCTL_SETPERM, "kx"},
                                        {KEYCTL_DESCRIBE, "kon"},
                                        {KEYCTL_CLEAR, "k"},
                                        {KEYCTL_LINK, "kk"},
                                        {KEYCTL_UNLINK, "kk"},
                                        {KEYCTL_SEARCH, "kssk"},
                                        {KEYCTL_READ, "kon"},
                                        {KEYCTL_INSTANTIATE, "kbnk"},
                                        {KEYCTL_NEGATE, "knk"},
                                        {KEYCTL_SET_REQKEY_KEYRING, "n"},
                                        {KEYCTL_SET_TIMEOUT, "kn"},
                                        {KEYCTL_ASSUME_AUTHORITY, "k"},
                                        {KEYCTL_GET_SECURITY, "kon"},
                                        {KEYCTL_SESSION_TO_PARENT, ""},
                                        {KEYCTL_REJECT, "knnk"},
                                        {KEYCTL_INVALIDATE, "k"},
                                        {KEYCTL_GET_PERSISTENT, "uk"},
                                        {KEYCTL_RESTRICT_KEYRING, "kss"},
                                        {KEYCTL_MOVE, "kkkx"},
                                        {KEYCTL_CAPABILITIES, "on"}};

template <size_t index>
Value show_key_argument(Scope& scope, const Type& type, const Source& source) {
  const auto plan =
      std::find_if(std::begin(kKeyPlans), std::end(kKeyPlans),
                   [&](const KeyCommandPlan& entry) { return entry.command == scope.argument(0); });
  if (plan == std::end(kKeyPlans)) return scope.is_exit() ? Value{} : Value::hex(source.number);
  if (index >= std::strlen(plan->arguments)) return {};
  const char kind = plan->arguments[index];
  if (kind == 'o') {
    if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
    return scope.bytes(source.number,
                       std::min(static_cast<uint64_t>(scope.result()), scope.argument_after()));
  }
  if (scope.is_exit()) return {};
  switch (kind) {
    case 'k':
      return show_key(scope, type, source);
    case 's':
      return scope.string(source.number);
    case 'b':
      return scope.bytes(source.number, scope.argument_after());
    case 'u':
    case 'g':
      return kUserId.show(scope, kUserId, source);
    case 'x':
      return Value::hex(source.number);
    default:
      return Value::integer(static_cast<int64_t>(source.number));
  }
}

// ---- landlock ----
constexpr Name kLandlockAccess[] = {
    {"LANDLOCK_ACCESS_FS_EXECUTE", 1 << 0},    {"LANDLOCK_ACCESS_FS_WRITE_FILE", 1 << 1},
    {"LANDLOCK_ACCESS_FS_READ_FILE", 1 << 2},  {"LANDLOCK_ACCESS_FS_READ_DIR", 1 << 3},
    {"LANDLOCK_ACCESS_FS_REMOVE_DIR", 1 << 4}, {"LANDLOCK_ACCESS_FS_REMOVE_FILE", 1 << 5},
    {"LANDLOCK_ACCESS_FS_MAKE_CHAR", 1 << 6},  {"LANDLOCK_ACCESS_FS_MAKE_DIR", 1 << 7},
    {"LANDLOCK_ACCESS_FS_MAKE_REG", 1 << 8},   {"LANDLOCK_ACCESS_FS_MAKE_SOCK", 1 << 9},
    {"LANDLOCK_ACCESS_FS_MAKE_FIFO", 1 << 10}, {"LANDLOCK_ACCESS_FS_MAKE_BLOCK", 1 << 11},
    {"LANDLOCK_ACCESS_FS_MAKE_SYM", 1 << 12},  {"LANDLOCK_ACCESS_FS_REFER", 1 << 13},
    {"LANDLOCK_ACCESS_FS_TRUNCATE", 1 << 14},  {"LANDLOCK_ACCESS_FS_IOCTL_DEV", 1 << 15}};
constexpr Name kLandlockNetwork[] = {{"LANDLOCK_ACCESS_NET_BIND_TCP", 1},
                                     {"LANDLOCK_ACCESS_NET_CONNECT_TCP", 2}};
constexpr Name kLandlockScopes[] = {{"LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET", 1}, {"LANDLOCK_SCOPE_SIGNAL", 2}};
constexpr Name kLandlockFlags[] = {{"LANDLOCK_CREATE_RULESET_VERSION", 1},
                                   {"LANDLOCK_CREATE_RULESET_ERRATA", 2}};
constexpr Name kLandlockRestrictFlags[] = {{"LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF", 1},
                                           {"LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON", 2},
                                           {"LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF", 4}};
constexpr Name kLandlockRuleTypes[] = {{"LANDLOCK_RULE_PATH_BENEATH", 1}, {"LANDLOCK_RULE_NET_PORT", 2}};

Value show_ruleset(Scope& scope, const Type&, const Source& source) {
  struct Ruleset {  // struct landlock_ruleset_attr, Linux 6.12
    uint64_t files, network, scoped;
  };
  const uint64_t size = scope.argument_after();
  if (source.number == 0 || size < sizeof(uint64_t)) return Value::address(source.number);
  const auto ruleset = scope.read_prefix<Ruleset>(source.number, size);
  if (!ruleset) return Value::address(source.number);
  Value value = Value::structure();
  value.add("handled_access_fs", flags_value(ruleset->files, kLandlockAccess, "LANDLOCK_ACCESS_FS_???"));
  if (size >= 2 * sizeof(uint64_t))
    value.add("handled_access_net",
              flags_value(ruleset->network, kLandlockNetwork, "LANDLOCK_ACCESS_NET_???"));
  if (size >= sizeof(Ruleset))
    value.add("scoped", flags_value(ruleset->scoped, kLandlockScopes, "LANDLOCK_SCOPE_???"));
  return value;
}

Value show_landlock_rule(Scope& scope, const Type&, const Source& source) {
  struct PathRule {
    uint64_t access;
    int32_t parent;
  } __attribute__((packed));
  struct PortRule {
    uint64_t access, port;
  };
  Value value = Value::structure();
  if (scope.argument_before() == 1) {
    const auto rule = scope.read<PathRule>(source.number);
    if (!rule) return Value::address(source.number);
    value.add("allowed_access", flags_value(rule->access, kLandlockAccess, "LANDLOCK_ACCESS_FS_???"));
    value.add("parent_fd", scope.descriptor(rule->parent));
    return value;
  }
  const auto rule = scope.argument_before() == 2 ? scope.read<PortRule>(source.number) : std::nullopt;
  if (!rule) return Value::address(source.number);
  value.add("allowed_access", flags_value(rule->access, kLandlockNetwork, "LANDLOCK_ACCESS_NET_???"));
  value.add("port", Value::natural(rule->port));
  return value;
}

// ---- security modules ----
constexpr Name kLsmAttributes[] = {{"LSM_ATTR_CURRENT", 100},  {"LSM_ATTR_EXEC", 101},
                                   {"LSM_ATTR_FSCREATE", 102}, {"LSM_ATTR_KEYCREATE", 103},
                                   {"LSM_ATTR_PREV", 104},     {"LSM_ATTR_SOCKCREATE", 105}};
constexpr Name kLsmFlags[] = {{"LSM_FLAG_SINGLE", 1}};
constexpr Name kLsmIds[] = {{"LSM_ID_CAPABILITY", 100}, {"LSM_ID_SELINUX", 101},   {"LSM_ID_SMACK", 102},
                            {"LSM_ID_TOMOYO", 103},     {"LSM_ID_APPARMOR", 104},  {"LSM_ID_YAMA", 105},
                            {"LSM_ID_LOADPIN", 106},    {"LSM_ID_SAFESETID", 107}, {"LSM_ID_LOCKDOWN", 108},
                            {"LSM_ID_BPF", 109},        {"LSM_ID_LANDLOCK", 110},  {"LSM_ID_IMA", 111},
                            {"LSM_ID_EVM", 112},        {"LSM_ID_IPE", 113}};

Value show_lsm_context(Scope& scope, const Type&, const Source& source) {
  struct Context {  // struct lsm_ctx
    uint64_t id, flags, length, text_length;
  };
  const auto context = scope.read<Context>(source.number);
  if (source.number == 0 || !context) return Value::address(source.number);
  Value value = Value::structure();
  value.add("id", choice_value(context->id, 8, kLsmIds, "LSM_ID_???"));
  value.add("flags", Value::hex(context->flags));
  value.add("len", Value::natural(context->length));
  value.add("ctx_len", Value::natural(context->text_length));
  value.add("ctx", scope.bytes(source.number + sizeof(Context), context->text_length));
  return value;
}

// ---- perf ----
constexpr Name kPerfFlags[] = {NAME(PERF_FLAG_FD_NO_GROUP), NAME(PERF_FLAG_FD_OUTPUT),
                               NAME(PERF_FLAG_PID_CGROUP), NAME(PERF_FLAG_FD_CLOEXEC)};
constexpr Name kPerfTypes[] = {NAME(PERF_TYPE_HARDWARE),   NAME(PERF_TYPE_SOFTWARE),
                               NAME(PERF_TYPE_TRACEPOINT), NAME(PERF_TYPE_HW_CACHE),
                               NAME(PERF_TYPE_RAW),        NAME(PERF_TYPE_BREAKPOINT)};
Value show_perf_attributes(Scope& scope, const Type&, const Source& source) {
  struct Beginning {  // of struct perf_event_attr
    uint32_t type, size;
    uint64_t config, sample_period, sample_type, read_format, bits;
  };
  const auto attributes = scope.read<Beginning>(source.number);
  if (source.number == 0 || !attributes) return Value::address(source.number);
  Value value = Value::structure();
  value.add("type", choice_value(attributes->type, 4, kPerfTypes, "PERF_TYPE_???"));
  value.add("size", Value::hex(attributes->size));
  value.add("config", Value::hex(attributes->config));
  value.add("sample_period", Value::natural(attributes->sample_period));
  value.add("sample_type", Value::hex(attributes->sample_type));
  value.add("read_format", Value::hex(attributes->read_format));
  value.is_cut = true;
  return value;
}

// ---- modules, kexec, userfaultfd, the kernel's log ----
constexpr Name kModuleFlags[] = {{"MODULE_INIT_IGNORE_MODVERSIONS", 1},
                                 {"MODULE_INIT_IGNORE_VERMAGIC", 2},
                                 {"MODULE_INIT_COMPRESSED_FILE", 4}};
constexpr Name kKexecFlags[] = {{"KEXEC_ON_CRASH", 1},
                                {"KEXEC_PRESERVE_CONTEXT", 2},
                                {"KEXEC_UPDATE_ELFCOREHDR", 4},
                                {"KEXEC_CRASH_HOTPLUG_SUPPORT", 8},
                                NAME(KEXEC_ARCH_X86_64)};
constexpr Name kKexecFileFlags[] = {NAME(KEXEC_FILE_UNLOAD),
                                    NAME(KEXEC_FILE_ON_CRASH),
                                    NAME(KEXEC_FILE_NO_INITRAMFS),
                                    {"KEXEC_FILE_DEBUG", 8}};
struct KexecSegment {
  uint64_t buf, bufsz, mem, memsz;
};
constexpr Field kKexecFields[] = {
    FIELD(KexecSegment, buf, kAddressField), FIELD(KexecSegment, bufsz, kUnsignedNumber),
    FIELD(KexecSegment, mem, kAddressField), FIELD(KexecSegment, memsz, kUnsignedNumber)};
constexpr Type kKexecSegment{"", show_structure, sizeof(KexecSegment), {}, "", kKexecFields};
Value show_kexec_segments(Scope& scope, const Type&, const Source& source) {
  return scope.array(kKexecSegment, source.number, scope.argument_before());
}

constexpr Name kUserfaultFlags[] = {
    {"UFFD_USER_MODE_ONLY", 1}, {"O_CLOEXEC", O_CLOEXEC}, {"O_NONBLOCK", O_NONBLOCK}};
constexpr Name kLogActions[] = {
    {"SYSLOG_ACTION_CLOSE", 0},       {"SYSLOG_ACTION_OPEN", 1},        {"SYSLOG_ACTION_READ", 2},
    {"SYSLOG_ACTION_READ_ALL", 3},    {"SYSLOG_ACTION_READ_CLEAR", 4},  {"SYSLOG_ACTION_CLEAR", 5},
    {"SYSLOG_ACTION_CONSOLE_OFF", 6}, {"SYSLOG_ACTION_CONSOLE_ON", 7},  {"SYSLOG_ACTION_CONSOLE_LEVEL", 8},
    {"SYSLOG_ACTION_SIZE_UNREAD", 9}, {"SYSLOG_ACTION_SIZE_BUFFER", 10}};

struct CachestatRangeLayout {
  uint64_t off, len;
};
constexpr Field kCachestatRangeFields[] = {FIELD(CachestatRangeLayout, off, kUnsignedNumber),
                                           FIELD(CachestatRangeLayout, len, kUnsignedNumber)};
struct CachestatLayout {
  uint64_t nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;
};
constexpr Field kCachestatFields[] = {FIELD(CachestatLayout, nr_cache, kUnsignedNumber),
                                      FIELD(CachestatLayout, nr_dirty, kUnsignedNumber),
                                      FIELD(CachestatLayout, nr_writeback, kUnsignedNumber),
                                      FIELD(CachestatLayout, nr_evicted, kUnsignedNumber),
                                      FIELD(CachestatLayout, nr_recently_evicted, kUnsignedNumber)};

// ---- ptrace ----
constexpr Name kTraceRequests[] = {NAME(PTRACE_TRACEME),
                                   NAME(PTRACE_PEEKTEXT),
                                   NAME(PTRACE_PEEKDATA),
                                   NAME(PTRACE_PEEKUSR),
                                   NAME(PTRACE_POKETEXT),
                                   NAME(PTRACE_POKEDATA),
                                   NAME(PTRACE_POKEUSR),
                                   NAME(PTRACE_CONT),
                                   NAME(PTRACE_KILL),
                                   NAME(PTRACE_SINGLESTEP),
                                   {"PTRACE_GETREGS", 12},
                                   {"PTRACE_SETREGS", 13},
                                   {"PTRACE_GETFPREGS", 14},
                                   {"PTRACE_SETFPREGS", 15},
                                   NAME(PTRACE_ATTACH),
                                   NAME(PTRACE_DETACH),
                                   {"PTRACE_OLDSETOPTIONS", 21},
                                   {"PTRACE_GET_THREAD_AREA", 25},
                                   {"PTRACE_SET_THREAD_AREA", 26},
                                   {"PTRACE_ARCH_PRCTL", 30},
                                   {"PTRACE_SYSEMU", 31},
                                   {"PTRACE_SYSEMU_SINGLESTEP", 32},
                                   {"PTRACE_SINGLEBLOCK", 33},
                                   NAME(PTRACE_SYSCALL),
                                   NAME(PTRACE_SETOPTIONS),
                                   NAME(PTRACE_GETEVENTMSG),
                                   NAME(PTRACE_GETSIGINFO),
                                   NAME(PTRACE_SETSIGINFO),
                                   NAME(PTRACE_GETREGSET),
                                   NAME(PTRACE_SETREGSET),
                                   NAME(PTRACE_SEIZE),
                                   NAME(PTRACE_INTERRUPT),
                                   NAME(PTRACE_LISTEN),
                                   NAME(PTRACE_PEEKSIGINFO),
                                   NAME(PTRACE_GETSIGMASK),
                                   NAME(PTRACE_SETSIGMASK),
                                   NAME(PTRACE_SECCOMP_GET_FILTER),
                                   NAME(PTRACE_SECCOMP_GET_METADATA),
                                   NAME(PTRACE_GET_SYSCALL_INFO),
                                   NAME(PTRACE_GET_RSEQ_CONFIGURATION),
                                   {"PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG", 0x4210},
                                   {"PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", 0x4211},
                                   {"PTRACE_SET_SYSCALL_INFO", 0x4212}};
constexpr Name kTraceOptions[] = {NAME(PTRACE_O_TRACESYSGOOD), NAME(PTRACE_O_TRACEFORK),
                                  NAME(PTRACE_O_TRACEVFORK),   NAME(PTRACE_O_TRACECLONE),
                                  NAME(PTRACE_O_TRACEEXEC),    NAME(PTRACE_O_TRACEVFORKDONE),
                                  NAME(PTRACE_O_TRACEEXIT),    NAME(PTRACE_O_TRACESECCOMP),
                                  NAME(PTRACE_O_EXITKILL),     NAME(PTRACE_O_SUSPEND_SECCOMP)};
constexpr Name kRegisterSets[] = {{"NT_PRSTATUS", 1},       {"NT_FPREGSET", 2},
                                  {"NT_386_TLS", 0x200},    {"NT_386_IOPERM", 0x201},
                                  {"NT_X86_XSTATE", 0x202}, {"NT_X86_SHSTK", 0x204}};

Value show_trace_address(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  const uint64_t request = scope.argument(0);
  if (request == PTRACE_TRACEME) return {};
  if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET)
    return choice_value(source.number, 8, kRegisterSets, "NT_???");
  return Value::address(source.number);
}

Value show_trace_data(Scope& scope, const Type&, const Source& source) {
  static constexpr Type kWord{"", show_hex, 8}, kInfo{"",
                                                      [](Scope&, const Type&, const Source& bytes) {
                                                        siginfo_t info;
                                                        std::memcpy(&info, bytes.bytes.data(), sizeof info);
                                                        return siginfo_value(info);
                                                      },
                                                      sizeof(siginfo_t)};
  const auto written = [&](const Type& type) {
    return scope.is_exit() ? scope.pointer(type, source.number) : Value::pending();
  };
  switch (scope.argument(0)) {
    case PTRACE_TRACEME:
    case PTRACE_ATTACH:
    case PTRACE_KILL:
    case PTRACE_INTERRUPT:
      return {};
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSR:
    case PTRACE_GETEVENTMSG:
      return written(kWord);
    case PTRACE_GETSIGINFO:
      return written(kInfo);
    case PTRACE_SETSIGINFO:
      return scope.is_exit() ? Value{} : scope.pointer(kInfo, source.number);
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
    case PTRACE_SINGLESTEP:
    case PTRACE_DETACH:
    case PTRACE_LISTEN:
      return scope.is_exit() ? Value{} : signal_value(static_cast<int>(source.number));
    case PTRACE_SETOPTIONS:
    case PTRACE_SEIZE:
      return scope.is_exit() ? Value{} : flags_value(source.number, kTraceOptions, "PTRACE_O_???");
    default:
      return scope.is_exit() ? Value{} : Value::address(source.number);
  }
}

// ---- moving pages ----
constexpr Type kPage{"", show_address, 8}, kNode{"", show_signed, 4};
Value show_pages(Scope& scope, const Type&, const Source& source) {
  return scope.array(kPage, source.number, scope.argument(1));
}
Value show_nodes(Scope& scope, const Type&, const Source& source) {
  return scope.array(kNode, source.number, scope.argument(1));
}

constexpr Type kTypes[] = {
    {"KeySerial", show_key, 4, kSpecialKeys},
    {"KeyctlCommand", show_choice, 4, kKeyCommands, "KEYCTL_???"},
    {"KeyctlArgument2", show_key_argument<0>},
    {"KeyctlArgument3", show_key_argument<1>},
    {"KeyctlArgument4", show_key_argument<2>},
    {"KeyctlArgument5", show_key_argument<3>},
    {"LandlockFlags", show_flags, 4, kLandlockFlags, "LANDLOCK_CREATE_RULESET_???"},
    {"LandlockRestrictFlags", show_flags, 4, kLandlockRestrictFlags, "LANDLOCK_RESTRICT_SELF_???"},
    {"LandlockRuleType", show_choice, 4, kLandlockRuleTypes, "LANDLOCK_RULE_???"},
    {"LandlockRulesetPtr", show_ruleset},
    {"LandlockRulePtr", show_landlock_rule},
    {"LsmAttribute", show_choice, 4, kLsmAttributes, "LSM_ATTR_???"},
    {"LsmFlags", show_flags, 4, kLsmFlags, "LSM_FLAG_???"},
    {"LsmId", show_choice, 8, kLsmIds, "LSM_ID_???"},
    {"LsmContext", show_lsm_context},
    {"InLsmContext", show_lsm_context},
    {"PerfFlags", show_flags, 8, kPerfFlags, "PERF_FLAG_???"},
    {"PerfAttributesPtr", show_perf_attributes, 0, kPerfTypes},
    {"ModuleFlags", show_flags, 4, kModuleFlags, "MODULE_INIT_???"},
    {"KexecFlags", show_flags, 8, kKexecFlags, "KEXEC_???"},
    {"KexecFileFlags", show_flags, 8, kKexecFileFlags, "KEXEC_FILE_???"},
    {"KexecSegments", show_kexec_segments},
    {"UserfaultFlags", show_flags, 4, kUserfaultFlags, "UFFD_???"},
    {"SyslogAction", show_choice, 4, kLogActions, "SYSLOG_ACTION_???"},
    {"CachestatRange", show_structure, sizeof(CachestatRangeLayout), {}, "", kCachestatRangeFields},
    {"Cachestat", show_structure, sizeof(CachestatLayout), {}, "", kCachestatFields},
    {"PtraceRequest", show_choice, 8, kTraceRequests, "PTRACE_???"},
    {"PtraceAddress", show_trace_address},
    {"PtraceData", show_trace_data},
    {"InPages", show_pages},
    {"InNodes", show_nodes},
    {"OutPageStatus", show_nodes},
};
constexpr Names kMoreNames[] = {kLandlockAccess, kLandlockNetwork, kTraceOptions, kRegisterSets};

}  // namespace

Family kernel_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
