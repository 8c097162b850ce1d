// Signals: numbers, sets, actions, siginfo, stacks.
#include <linux/audit.h>
#include <sys/signalfd.h>

#include <bit>

#include "sandbox/syscall_table.h"
#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/signal_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr int kFirstRealTime = 32, kLastSignal = 64;

constexpr Name kSignals[] = {NAME(SIGHUP),  NAME(SIGINT),    NAME(SIGQUIT), NAME(SIGILL),
                             NAME(SIGTRAP), NAME(SIGABRT),   NAME(SIGBUS),  NAME(SIGFPE),
                             NAME(SIGKILL), NAME(SIGUSR1),   NAME(SIGSEGV), NAME(SIGUSR2),
                             NAME(SIGPIPE), NAME(SIGALRM),   NAME(SIGTERM), NAME(SIGSTKFLT),
                             NAME(SIGCHLD), NAME(SIGCONT),   NAME(SIGSTOP), NAME(SIGTSTP),
                             NAME(SIGTTIN), NAME(SIGTTOU),   NAME(SIGURG),  NAME(SIGXCPU),
                             NAME(SIGXFSZ), NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH),
                             NAME(SIGIO),   NAME(SIGPWR),    NAME(SIGSYS),  {"SIGRTMIN", kFirstRealTime}};
constexpr Name kHows[] = {NAME(SIG_BLOCK), NAME(SIG_UNBLOCK), NAME(SIG_SETMASK)};
constexpr Name kActionFlags[] = {{"SA_RESTORER", 0x04000000},
                                 NAME(SA_ONSTACK),
                                 NAME(SA_RESTART),
                                 NAME(SA_INTERRUPT),
                                 NAME(SA_NODEFER),
                                 NAME(SA_RESETHAND),
                                 NAME(SA_SIGINFO),
                                 NAME(SA_NOCLDSTOP),
                                 NAME(SA_NOCLDWAIT),
                                 {"SA_UNSUPPORTED", 0x400},
                                 {"SA_EXPOSE_TAGBITS", 0x800}};
constexpr Name kStackFlags[] = {NAME(SS_ONSTACK), NAME(SS_DISABLE), {"SS_AUTODISARM", uint64_t{1} << 31}};
constexpr Name kSignalFdFlags[] = {NAME(SFD_CLOEXEC), NAME(SFD_NONBLOCK)};

constexpr Name kGeneralCodes[] = {
    NAME(SI_USER),   NAME(SI_KERNEL), NAME(SI_QUEUE),
    NAME(SI_TIMER),  NAME(SI_MESGQ),  NAME(SI_ASYNCIO),
    NAME(SI_SIGIO),  NAME(SI_TKILL),  {"SI_DETHREAD", static_cast<uint64_t>(-7)},
    NAME(SI_ASYNCNL)};
constexpr Name kIllegalCodes[] = {NAME(ILL_ILLOPC), NAME(ILL_ILLOPN), NAME(ILL_ILLADR), NAME(ILL_ILLTRP),
                                  NAME(ILL_PRVOPC), NAME(ILL_PRVREG), NAME(ILL_COPROC), NAME(ILL_BADSTK)};
constexpr Name kFloatCodes[] = {NAME(FPE_INTDIV), NAME(FPE_INTOVF), NAME(FPE_FLTDIV), NAME(FPE_FLTOVF),
                                NAME(FPE_FLTUND), NAME(FPE_FLTRES), NAME(FPE_FLTINV), NAME(FPE_FLTSUB)};
constexpr Name kSegmentCodes[] = {
    NAME(SEGV_MAPERR), NAME(SEGV_ACCERR), NAME(SEGV_BNDERR), NAME(SEGV_PKUERR), {"SEGV_CPERR", 10}};
constexpr Name kBusCodes[] = {NAME(BUS_ADRALN), NAME(BUS_ADRERR), NAME(BUS_OBJERR), NAME(BUS_MCEERR_AR),
                              NAME(BUS_MCEERR_AO)};
constexpr Name kTrapCodes[] = {NAME(TRAP_BRKPT),  NAME(TRAP_TRACE), NAME(TRAP_BRANCH),
                               NAME(TRAP_HWBKPT), {"TRAP_UNK", 5},  {"TRAP_PERF", 6}};
constexpr Name kChildCodes[] = {NAME(CLD_EXITED),  NAME(CLD_KILLED),  NAME(CLD_DUMPED),
                                NAME(CLD_TRAPPED), NAME(CLD_STOPPED), NAME(CLD_CONTINUED)};
constexpr Name kPollCodes[] = {NAME(POLL_IN),  NAME(POLL_OUT), NAME(POLL_MSG),
                               NAME(POLL_ERR), NAME(POLL_PRI), NAME(POLL_HUP)};
constexpr Name kSystemCallCodes[] = {{"SYS_SECCOMP", 1}, {"SYS_USER_DISPATCH", 2}};
constexpr Name kArchitectures[] = {NAME(AUDIT_ARCH_X86_64), NAME(AUDIT_ARCH_I386)};

struct SignalCodes {
  int signal;
  Names codes;
};
constexpr SignalCodes kCodesOfSignals[] = {
    {SIGILL, kIllegalCodes}, {SIGFPE, kFloatCodes},  {SIGSEGV, kSegmentCodes}, {SIGBUS, kBusCodes},
    {SIGTRAP, kTrapCodes},   {SIGCHLD, kChildCodes}, {SIGIO, kPollCodes},      {SIGSYS, kSystemCallCodes}};

Value code_value(const siginfo_t& info) {
  const auto code = static_cast<uint64_t>(static_cast<int64_t>(info.si_code));
  if (info.si_code > 0 && info.si_code < SI_KERNEL)
    for (const SignalCodes& entry : kCodesOfSignals)
      if (entry.signal == info.si_signo) return choice_value(code, 4, entry.codes, "SI_???");
  return choice_value(code, 4, kGeneralCodes, "SI_???");
}

Value sigval_value(const sigval& value) {
  Value parts = Value::structure();
  parts.add("sival_int", Value::integer(value.sival_int));
  parts.add("sival_ptr", Value::address(reinterpret_cast<uint64_t>(value.sival_ptr)));
  return parts;
}

void add_sender(Value& value, const siginfo_t& info) {
  value.add("si_pid", Value::integer(info.si_pid));
  value.add("si_uid", Value::natural(info.si_uid));
}

void add_child(Value& value, const siginfo_t& info) {
  add_sender(value, info);
  const bool is_exit = info.si_code == CLD_EXITED;
  value.add("si_status", is_exit ? Value::integer(info.si_status) : signal_value(info.si_status));
  value.add("si_utime", Value::integer(info.si_utime));
  value.add("si_stime", Value::integer(info.si_stime));
}

void add_system_call(Value& value, const siginfo_t& info) {
  value.add("si_call_addr", Value::address(reinterpret_cast<uint64_t>(info.si_call_addr)));
  const SyscallRow* row = find_syscall(static_cast<uint32_t>(info.si_syscall));
  value.add("si_syscall", row != nullptr ? Value::expression("__NR_" + std::string(row->name),
                                                             Value::integer(info.si_syscall))
                                         : Value::integer(info.si_syscall));
  value.add("si_arch", choice_value(info.si_arch, 4, kArchitectures, "AUDIT_ARCH_???"));
}

void add_fault(Value& value, const siginfo_t& info) {
  value.add("si_addr", Value::address(reinterpret_cast<uint64_t>(info.si_addr)));
  if (info.si_signo != SIGSEGV) return;
  if (info.si_code == SEGV_BNDERR) {
    value.add("si_lower", Value::address(reinterpret_cast<uint64_t>(info.si_lower)));
    value.add("si_upper", Value::address(reinterpret_cast<uint64_t>(info.si_upper)));
  } else if (info.si_code == SEGV_PKUERR) {
    value.add("si_pkey", Value::natural(info.si_pkey));
  }
}

// What the kernel filled in depends on the signal and on who sent it (siginfo_layout in kernel/signal.c).
void add_details(Value& value, const siginfo_t& info) {
  switch (info.si_code) {
    case SI_USER:
    case SI_TKILL:
      return add_sender(value, info);
    case SI_TIMER:
      value.add("si_timerid", Value::hex(static_cast<uint32_t>(info.si_timerid)));
      value.add("si_overrun", Value::integer(info.si_overrun));
      value.add("si_value", sigval_value(info.si_value));
      return;
    case SI_QUEUE:
    case SI_MESGQ:
    case SI_ASYNCIO:
      add_sender(value, info);
      value.add("si_value", sigval_value(info.si_value));
      return;
    case SI_KERNEL:
      return;
    default:
      break;
  }
  switch (info.si_signo) {
    case SIGCHLD:
      return add_child(value, info);
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      return add_fault(value, info);
    case SIGIO:
      value.add("si_band", flags_value(static_cast<uint64_t>(info.si_band), {}, {}));
      value.add("si_fd", Value::integer(info.si_fd));
      return;
    case SIGSYS:
      return add_system_call(value, info);
    default:
      return add_sender(value, info);
  }
}

Value show_signal(Scope&, const Type&, const Source& source) {
  return signal_value(static_cast<int>(source.number));
}

Value show_signal_set(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0) return Value::address(0);
  const auto mask = scope.read<uint64_t>(source.number);
  return mask ? signal_set_value(*mask) : Value::address(source.number);
}

Value show_signal_set_field(Scope&, const Type&, const Source& source) {
  return signal_set_value(source.number);
}

// pselect6 and io_pgetevents have one register for the set and its size.
Value show_signal_set_argument(Scope& scope, const Type&, const Source& source) {
  struct Argument {
    uint64_t address, size;
  };
  if (source.number == 0) return Value::address(0);
  const auto argument = scope.read<Argument>(source.number);
  if (!argument) return Value::address(source.number);
  Value value = Value::structure();
  value.add("sigmask", show_signal_set(scope, {}, {argument->address, 8, {}}));
  value.add("sigsetsize", Value::natural(argument->size));
  return value;
}

Value handler_value(uint64_t handler) {
  if (handler == 0) return Value::word("SIG_DFL");
  if (handler == 1) return Value::word("SIG_IGN");
  return Value::address(handler);
}

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

Value show_action(Scope&, const Type&, const Source& source) {
  constexpr uint64_t kHasRestorer = 0x04000000;
  KernelAction action;
  std::memcpy(&action, source.bytes.data(), sizeof action);
  Value value = Value::structure();
  value.add("sa_handler", handler_value(action.handler));
  value.add("sa_mask", signal_set_value(action.mask));
  value.add("sa_flags", flags_value(action.flags, kActionFlags, "SA_???"));
  if (action.flags & kHasRestorer) value.add("sa_restorer", Value::address(action.restorer));
  return value;
}

Value show_siginfo(Scope&, const Type&, const Source& source) {
  siginfo_t info;
  std::memcpy(&info, source.bytes.data(), sizeof info);
  return siginfo_value(info);
}

constexpr Type kStackFlagNames{"", show_flags, 4, kStackFlags, "SS_???"};
struct KernelStackLayout {
  uint64_t ss_sp;
  int ss_flags;
  uint64_t ss_size;
};
constexpr Field kStackFields[] = {FIELD(KernelStackLayout, ss_sp, kAddressField),
                                  FIELD(KernelStackLayout, ss_flags, kStackFlagNames),
                                  FIELD(KernelStackLayout, ss_size, kUnsignedNumber)};

constexpr Name kNotifyKinds[] = {NAME(SIGEV_SIGNAL), NAME(SIGEV_NONE), NAME(SIGEV_THREAD),
                                 NAME(SIGEV_THREAD_ID)};
constexpr uint64_t kThreadIdKind = 4;

Value show_sigevent(Scope&, const Type&, const Source& source) {
  struct Layout {
    sigval value;
    int signal, kind, thread;
  } event;
  std::memcpy(&event, source.bytes.data(), sizeof event);
  Value value = Value::structure();
  value.add("sigev_value", sigval_value(event.value));
  value.add("sigev_signo", signal_value(event.signal));
  value.add("sigev_notify", choice_value(static_cast<uint32_t>(event.kind), 4, kNotifyKinds, "SIGEV_???"));
  if (static_cast<uint64_t>(event.kind) == kThreadIdKind)
    value.add("sigev_notify_thread_id", Value::integer(event.thread));
  return value;
}

}  // namespace

std::string signal_name(int signal) {
  if (const char* name = name_of(static_cast<uint64_t>(signal), 4, kSignals)) return name;
  if (signal > kFirstRealTime && signal <= kLastSignal) return "SIGRT_" + decimal(signal - kFirstRealTime);
  return {};
}

Value signal_value(int signal) {
  std::string name = signal_name(signal);
  if (name.empty()) return Value::integer(signal);
  Value value;
  value.kind = Value::Kind::kEnumerator;
  value.number = static_cast<uint64_t>(signal);
  value.text = std::move(name);
  return value;
}

Value siginfo_value(const siginfo_t& info) {
  Value value = Value::structure();
  if (info.si_signo == 0) return value;
  value.add("si_signo", signal_value(info.si_signo));
  value.add("si_code", code_value(info));
  if (info.si_errno != 0) value.add("si_errno", Value::word(Errno(info.si_errno).name()));
  add_details(value, info);
  return value;
}

Value signal_set_value(uint64_t mask) {
  constexpr int kMostInSet = kLastSignal * 2 / 3;
  Value set;
  set.kind = Value::Kind::kSet;
  set.number = mask;
  set.is_inverted = std::popcount(mask) >= kMostInSet;
  const uint64_t shown = set.is_inverted ? ~mask : mask;
  for (int signal = 1; signal <= kLastSignal; ++signal)
    if ((shown >> (signal - 1)) & 1) set.add(Value::word(signal_name(signal).substr(3)));
  return set;
}

constexpr Type kSignal{"SignalNumber", show_signal, 4, kSignals};
constexpr Type kSignalSet{"", show_signal_set_field, 8};

namespace {

constexpr Type kTypes[] = {
    kSignal,
    {"SignalHow", show_choice, 4, kHows, "SIG_???"},
    {"SignalSetPtr", show_signal_set},
    {.name = "OutSignalSet", .show = show_signal_set, .output_bytes = sizeof(uint64_t)},
    {"SignalSetArgument", show_signal_set_argument},
    {"SignalFdFlags", show_flags, 4, kSignalFdFlags, "SFD_???"},
    {"KernelSigaction", show_action, sizeof(KernelAction), kActionFlags},
    {"KernelSiginfo", show_siginfo, sizeof(siginfo_t)},
    {"KernelStack", show_structure, sizeof(KernelStackLayout), {}, "", kStackFields},
    {"struct sigevent", show_sigevent, 64, kNotifyKinds},
};
constexpr Names kMoreNames[] = {kGeneralCodes, kIllegalCodes, kFloatCodes, kSegmentCodes,    kBusCodes,
                                kTrapCodes,    kChildCodes,   kPollCodes,  kSystemCallCodes, kStackFlags};

}  // namespace

Family signal_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
