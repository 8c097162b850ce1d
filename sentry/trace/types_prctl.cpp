// prctl and arch_prctl: per option, how many arguments there are and what each is.
#include <asm/prctl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

#include "sentry/trace/families.h"
#include "sentry/trace/signal_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kOptions[] = {NAME(PR_SET_PDEATHSIG),
                             NAME(PR_GET_PDEATHSIG),
                             NAME(PR_GET_DUMPABLE),
                             NAME(PR_SET_DUMPABLE),
                             NAME(PR_GET_UNALIGN),
                             NAME(PR_SET_UNALIGN),
                             NAME(PR_GET_KEEPCAPS),
                             NAME(PR_SET_KEEPCAPS),
                             NAME(PR_GET_FPEMU),
                             NAME(PR_SET_FPEMU),
                             NAME(PR_GET_FPEXC),
                             NAME(PR_SET_FPEXC),
                             NAME(PR_GET_TIMING),
                             NAME(PR_SET_TIMING),
                             NAME(PR_SET_NAME),
                             NAME(PR_GET_NAME),
                             NAME(PR_GET_ENDIAN),
                             NAME(PR_SET_ENDIAN),
                             NAME(PR_GET_SECCOMP),
                             NAME(PR_SET_SECCOMP),
                             NAME(PR_CAPBSET_READ),
                             NAME(PR_CAPBSET_DROP),
                             NAME(PR_GET_TSC),
                             NAME(PR_SET_TSC),
                             NAME(PR_GET_SECUREBITS),
                             NAME(PR_SET_SECUREBITS),
                             NAME(PR_SET_TIMERSLACK),
                             NAME(PR_GET_TIMERSLACK),
                             NAME(PR_TASK_PERF_EVENTS_DISABLE),
                             NAME(PR_TASK_PERF_EVENTS_ENABLE),
                             NAME(PR_MCE_KILL),
                             NAME(PR_MCE_KILL_GET),
                             NAME(PR_SET_MM),
                             NAME(PR_SET_PTRACER),
                             NAME(PR_SET_CHILD_SUBREAPER),
                             NAME(PR_GET_CHILD_SUBREAPER),
                             NAME(PR_SET_NO_NEW_PRIVS),
                             NAME(PR_GET_NO_NEW_PRIVS),
                             NAME(PR_GET_TID_ADDRESS),
                             NAME(PR_SET_THP_DISABLE),
                             NAME(PR_GET_THP_DISABLE),
                             NAME(PR_MPX_ENABLE_MANAGEMENT),
                             NAME(PR_MPX_DISABLE_MANAGEMENT),
                             NAME(PR_SET_FP_MODE),
                             NAME(PR_GET_FP_MODE),
                             NAME(PR_CAP_AMBIENT),
                             NAME(PR_SVE_SET_VL),
                             NAME(PR_SVE_GET_VL),
                             NAME(PR_GET_SPECULATION_CTRL),
                             NAME(PR_SET_SPECULATION_CTRL),
                             NAME(PR_PAC_RESET_KEYS),
                             NAME(PR_SET_TAGGED_ADDR_CTRL),
                             NAME(PR_GET_TAGGED_ADDR_CTRL),
                             NAME(PR_SET_IO_FLUSHER),
                             NAME(PR_GET_IO_FLUSHER),
                             NAME(PR_SET_SYSCALL_USER_DISPATCH),
                             NAME(PR_PAC_SET_ENABLED_KEYS),
                             NAME(PR_PAC_GET_ENABLED_KEYS),
                             NAME(PR_SCHED_CORE),
                             NAME(PR_SME_SET_VL),
                             NAME(PR_SME_GET_VL),
                             {"PR_SET_MDWE", 65},
                             {"PR_GET_MDWE", 66},
                             {"PR_SET_MEMORY_MERGE", 67},
                             {"PR_GET_MEMORY_MERGE", 68},
                             {"PR_RISCV_V_SET_CONTROL", 69},
                             {"PR_RISCV_V_GET_CONTROL", 70},
                             {"PR_GET_SHADOW_STACK_STATUS", 74},
                             {"PR_SET_SHADOW_STACK_STATUS", 75},
                             {"PR_LOCK_SHADOW_STACK_STATUS", 76},
                             {"PR_TIMER_CREATE_RESTORE_IDS", 77},
                             {"PR_FUTEX_HASH", 78},
                             NAME(PR_SET_VMA),
                             {"PR_GET_AUXV", 0x41555856}};
constexpr Name kDumpable[] = {{"SUID_DUMP_DISABLE", 0}, {"SUID_DUMP_USER", 1}, {"SUID_DUMP_ROOT", 2}};
constexpr Name kSeccompModes[] = {NAME(SECCOMP_MODE_DISABLED), NAME(SECCOMP_MODE_STRICT),
                                  NAME(SECCOMP_MODE_FILTER)};
constexpr Name kAmbient[] = {NAME(PR_CAP_AMBIENT_IS_SET), NAME(PR_CAP_AMBIENT_RAISE),
                             NAME(PR_CAP_AMBIENT_LOWER), NAME(PR_CAP_AMBIENT_CLEAR_ALL)};
constexpr Name kTimeStampCounter[] = {NAME(PR_TSC_ENABLE), NAME(PR_TSC_SIGSEGV)};
constexpr Name kSecureBits[] = {NAME(SECBIT_NOROOT),
                                NAME(SECBIT_NOROOT_LOCKED),
                                NAME(SECBIT_NO_SETUID_FIXUP),
                                NAME(SECBIT_NO_SETUID_FIXUP_LOCKED),
                                NAME(SECBIT_KEEP_CAPS),
                                NAME(SECBIT_KEEP_CAPS_LOCKED),
                                NAME(SECBIT_NO_CAP_AMBIENT_RAISE),
                                NAME(SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)};
constexpr Name kMapFields[] = {
    NAME(PR_SET_MM_START_CODE), NAME(PR_SET_MM_END_CODE),    NAME(PR_SET_MM_START_DATA),
    NAME(PR_SET_MM_END_DATA),   NAME(PR_SET_MM_START_STACK), NAME(PR_SET_MM_START_BRK),
    NAME(PR_SET_MM_BRK),        NAME(PR_SET_MM_ARG_START),   NAME(PR_SET_MM_ARG_END),
    NAME(PR_SET_MM_ENV_START),  NAME(PR_SET_MM_ENV_END),     NAME(PR_SET_MM_AUXV),
    NAME(PR_SET_MM_EXE_FILE),   NAME(PR_SET_MM_MAP),         NAME(PR_SET_MM_MAP_SIZE)};
constexpr Name kSpeculation[] = {NAME(PR_SPEC_STORE_BYPASS), NAME(PR_SPEC_INDIRECT_BRANCH),
                                 NAME(PR_SPEC_L1D_FLUSH)};
constexpr Name kSpeculationControl[] = {NAME(PR_SPEC_PRCTL), NAME(PR_SPEC_ENABLE), NAME(PR_SPEC_DISABLE),
                                        NAME(PR_SPEC_FORCE_DISABLE), NAME(PR_SPEC_DISABLE_NOEXEC)};
constexpr Name kAreaAttributes[] = {NAME(PR_SET_VMA_ANON_NAME)};
constexpr Name kWriteExecute[] = {{"PR_MDWE_REFUSE_EXEC_GAIN", 1}, {"PR_MDWE_NO_INHERIT", 2}};

// ---- what each argument is ----
Value show_capability(Scope&, const Type&, const Source& source) {
  const char* name = capability_name(static_cast<unsigned>(source.number));
  return name != nullptr ? Value::expression(name, Value::natural(source.number)) : Value::hex(source.number);
}
Value show_name(Scope& scope, const Type&, const Source& source) { return scope.string(source.number, 16); }
Value show_text(Scope& scope, const Type&, const Source& source) { return scope.string(source.number); }
Value show_ptracer(Scope&, const Type&, const Source& source) {
  return source.number == ~uint64_t{0} ? Value::expression("PR_SET_PTRACER_ANY", Value::integer(-1))
                                       : Value::natural(source.number);
}
Value show_filter(Scope& scope, const Type&, const Source& source) {
  if (scope.argument(1) != SECCOMP_MODE_FILTER) return {};
  const auto program = scope.read<sock_fprog>(source.number);
  if (!program) return Value::address(source.number);
  Value value = Value::structure();
  value.add("len", Value::natural(program->len));
  value.add("filter", bpf_program_at(scope, reinterpret_cast<uint64_t>(program->filter), program->len));
  return value;
}
Value show_signal_argument(Scope&, const Type&, const Source& source) {
  return signal_value(static_cast<int>(source.number));
}

constexpr Type kNumber{"", show_unsigned}, kHex{"", show_hex}, kPointer{"", show_address},
    kText{"", show_text};
constexpr Type kSignalArgument{"", show_signal_argument}, kName{"", show_name},
    kCapability{"", show_capability};
constexpr Type kDumpableArgument{"", show_choice, 8, kDumpable, "SUID_DUMP_???"};
constexpr Type kSeccompMode{"", show_choice, 8, kSeccompModes, "SECCOMP_MODE_???"};
constexpr Type kFilter{"", show_filter}, kPtracer{"", show_ptracer};
constexpr Type kAmbientCommand{"", show_choice, 8, kAmbient, "PR_CAP_AMBIENT_???"};
constexpr Type kCounter{"", show_choice, 4, kTimeStampCounter, "PR_TSC_???"};
constexpr Type kSecure{"", show_flags, 8, kSecureBits, "SECBIT_???"};
constexpr Type kMapField{"", show_choice, 8, kMapFields, "PR_SET_MM_???"};
constexpr Type kSpeculationKind{"", show_choice, 8, kSpeculation, "PR_SPEC_???"};
constexpr Type kSpeculationFlags{"", show_flags, 8, kSpeculationControl, "PR_SPEC_???"};
constexpr Type kArea{"", show_choice, 8, kAreaAttributes, "PR_SET_VMA_???"};
constexpr Type kWriteExecuteFlags{"", show_flags, 8, kWriteExecute, "PR_MDWE_???"};
constexpr Type kInt{"", show_signed, 4}, kSecureInt{"", show_flags, 4, kSecureBits, "SECBIT_???"};
constexpr Type kIntPointer{"", show_signed, 4}, kWord{"", show_address, 8},
    kTaskName{"", show_characters, 16};

// Arguments 2 to 5 of an option; null: not looked at. `output`: what argument 2 points to and is written.
struct OptionPlan {
  uint64_t option;
  const Type* arguments[4] = {};
  const Type* output = nullptr;
  const Type* result = nullptr;  // how the result is remarked
};
constexpr OptionPlan kPlans[] = {
    {PR_SET_PDEATHSIG, {&kSignalArgument}},
    {PR_GET_PDEATHSIG, {}, &kSignal},
    {PR_GET_DUMPABLE, {}, nullptr, &kDumpableArgument},
    {PR_SET_DUMPABLE, {&kDumpableArgument}},
    {PR_GET_KEEPCAPS, {}},
    {PR_SET_KEEPCAPS, {&kNumber}},
    {PR_SET_NAME, {&kName}},
    {PR_GET_NAME, {}, &kTaskName},
    {PR_GET_SECCOMP, {}, nullptr, &kSeccompMode},
    {PR_SET_SECCOMP, {&kSeccompMode, &kFilter}},
    {PR_CAPBSET_READ, {&kCapability}},
    {PR_CAPBSET_DROP, {&kCapability}},
    {PR_GET_TSC, {}, &kCounter},
    {PR_SET_TSC, {&kCounter}},
    {PR_GET_SECUREBITS, {}, nullptr, &kSecure},
    {PR_SET_SECUREBITS, {&kSecure}},
    {PR_SET_TIMERSLACK, {&kNumber}},
    {PR_GET_TIMERSLACK, {}},
    {PR_TASK_PERF_EVENTS_DISABLE, {}},
    {PR_TASK_PERF_EVENTS_ENABLE, {}},
    {PR_SET_MM, {&kMapField, &kPointer, &kHex, &kHex}},
    {PR_SET_PTRACER, {&kPtracer}},
    {PR_SET_CHILD_SUBREAPER, {&kNumber}},
    {PR_GET_CHILD_SUBREAPER, {}, &kIntPointer},
    {PR_SET_NO_NEW_PRIVS, {&kNumber, &kHex, &kHex, &kHex}},
    {PR_GET_NO_NEW_PRIVS, {&kHex, &kHex, &kHex, &kHex}},
    {PR_GET_TID_ADDRESS, {}, &kWord},
    {PR_SET_THP_DISABLE, {&kNumber, &kHex, &kHex, &kHex}},
    {PR_GET_THP_DISABLE, {&kHex, &kHex, &kHex, &kHex}},
    {PR_CAP_AMBIENT, {&kAmbientCommand, &kCapability, &kHex, &kHex}},
    {PR_GET_SPECULATION_CTRL, {&kSpeculationKind, &kHex, &kHex, &kHex}, nullptr, &kSpeculationFlags},
    {PR_SET_SPECULATION_CTRL, {&kSpeculationKind, &kSpeculationFlags, &kHex, &kHex}},
    {PR_SET_IO_FLUSHER, {&kNumber, &kHex, &kHex, &kHex}},
    {PR_GET_IO_FLUSHER, {&kHex, &kHex, &kHex, &kHex}},
    {PR_SET_VMA, {&kArea, &kPointer, &kHex, &kText}},
    {65, {&kWriteExecuteFlags, &kHex, &kHex, &kHex}},
    {66, {&kHex, &kHex, &kHex, &kHex}, nullptr, &kWriteExecuteFlags},
    {67, {&kNumber, &kHex, &kHex, &kHex}},
    {68, {&kHex, &kHex, &kHex, &kHex}},
};

const OptionPlan* plan_of(uint64_t option) {
  for (const OptionPlan& plan : kPlans)
    if (plan.option == (option & 0xffffffff)) return &plan;
  return nullptr;
}

template <size_t index>
Value show_prctl_argument(Scope& scope, const Type&, const Source& source) {
  const OptionPlan* plan = plan_of(scope.argument(0));
  if (plan == nullptr) return scope.is_exit() ? Value{} : Value::hex(source.number);
  if (index == 0 && plan->output != nullptr) {
    if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
    return scope.pointer(*plan->output, source.number);
  }
  const Type* type = plan->arguments[index];
  if (scope.is_exit() || type == nullptr) return {};
  return type->show(scope, *type, source);
}

Value show_prctl_result(Scope& scope, const Type&, const Source& source) {
  const OptionPlan* plan = plan_of(scope.argument(0));
  if (plan == nullptr || plan->result == nullptr) return Value::integer(static_cast<int64_t>(source.number));
  scope.remark({}, plan->result->show(scope, *plan->result, source));
  return plan->result->show == show_flags ? Value::hex(source.number) : Value::natural(source.number);
}

// ---- arch_prctl ----
constexpr Name kArchOptions[] = {NAME(ARCH_SET_GS),
                                 NAME(ARCH_SET_FS),
                                 NAME(ARCH_GET_FS),
                                 NAME(ARCH_GET_GS),
                                 NAME(ARCH_GET_CPUID),
                                 NAME(ARCH_SET_CPUID),
                                 NAME(ARCH_GET_XCOMP_SUPP),
                                 NAME(ARCH_GET_XCOMP_PERM),
                                 NAME(ARCH_REQ_XCOMP_PERM),
                                 NAME(ARCH_GET_XCOMP_GUEST_PERM),
                                 NAME(ARCH_REQ_XCOMP_GUEST_PERM),
                                 NAME(ARCH_MAP_VDSO_X32),
                                 NAME(ARCH_MAP_VDSO_32),
                                 NAME(ARCH_MAP_VDSO_64),
                                 {"ARCH_GET_UNTAG_MASK", 0x4001},
                                 {"ARCH_ENABLE_TAGGED_ADDR", 0x4002},
                                 {"ARCH_GET_MAX_TAG_BITS", 0x4003},
                                 {"ARCH_FORCE_TAGGED_SVA", 0x4004},
                                 {"ARCH_SHSTK_ENABLE", 0x5001},
                                 {"ARCH_SHSTK_DISABLE", 0x5002},
                                 {"ARCH_SHSTK_LOCK", 0x5003},
                                 {"ARCH_SHSTK_UNLOCK", 0x5004},
                                 {"ARCH_SHSTK_STATUS", 0x5005}};

Value show_arch_argument(Scope& scope, const Type&, const Source& source) {
  switch (scope.argument(0)) {
    case ARCH_GET_FS:
    case ARCH_GET_GS:
    case ARCH_GET_XCOMP_SUPP:
    case ARCH_GET_XCOMP_PERM:
      return scope.is_exit() ? scope.pointer(kWord, source.number) : Value::pending();
    case ARCH_GET_CPUID:
      return {};
    default:
      return scope.is_exit() ? Value{} : Value::address(source.number);
  }
}

constexpr Type kTypes[] = {
    {"PrctlOption", show_choice, 4, kOptions, "PR_???"},
    {"PrctlArgument2", show_prctl_argument<0>},
    {"PrctlArgument3", show_prctl_argument<1>},
    {"PrctlArgument4", show_prctl_argument<2>},
    {"PrctlArgument5", show_prctl_argument<3>},
    {"PrctlResult", show_prctl_result},
    {"ArchPrctlOption", show_choice, 4, kArchOptions, "ARCH_???"},
    {"ArchPrctlArgument", show_arch_argument},
};
constexpr Names kMoreNames[] = {kDumpable, kSeccompModes, kAmbient, kSecureBits, kMapFields};

}  // namespace

Family prctl_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
