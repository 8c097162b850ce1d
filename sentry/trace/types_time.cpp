// Clocks, timers and times.
#include <linux/time_types.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {

using Timespec = __kernel_timespec;
using Timeval = __kernel_old_timeval;

namespace {

constexpr Name kClocks[] = {
    NAME(CLOCK_REALTIME),          NAME(CLOCK_MONOTONIC),     NAME(CLOCK_PROCESS_CPUTIME_ID),
    NAME(CLOCK_THREAD_CPUTIME_ID), NAME(CLOCK_MONOTONIC_RAW), NAME(CLOCK_REALTIME_COARSE),
    NAME(CLOCK_MONOTONIC_COARSE),  NAME(CLOCK_BOOTTIME),      NAME(CLOCK_REALTIME_ALARM),
    NAME(CLOCK_BOOTTIME_ALARM),    {"CLOCK_SGI_CYCLE", 10},   NAME(CLOCK_TAI)};

// A negative clock is a task's CPU time or a descriptor's.
Value show_clock(Scope&, const Type& type, const Source& source) {
  constexpr int kPidShift = 3, kKindMask = 3, kThreadBit = 4, kDescriptorKind = 3;
  static constexpr const char* kKinds[] = {"CPUCLOCK_PROF", "CPUCLOCK_VIRT", "CPUCLOCK_SCHED"};
  const auto clock = static_cast<int>(source.number);
  if (clock >= 0) return choice_value(source.number, 4, type.names, type.unknown);
  const int owner = ~(clock >> kPidShift), kind = clock & kKindMask;
  std::string text = "FD_TO_CLOCKID(" + decimal(owner) + ")";
  if (kind != kDescriptorKind) {
    text = clock & kThreadBit ? "MAKE_THREAD_CPUCLOCK(" : "MAKE_PROCESS_CPUCLOCK(";
    text += decimal(owner) + ", " + kKinds[kind] + ")";
  }
  return Value::expression(std::move(text), Value::integer(clock));
}

constexpr Name kTimers[] = {{"ITIMER_REAL", 0}, {"ITIMER_VIRTUAL", 1}, {"ITIMER_PROF", 2}};
constexpr Name kTimerFlags[] = {NAME(TIMER_ABSTIME)};
constexpr Name kTimerFdFlags[] = {NAME(TFD_TIMER_ABSTIME), NAME(TFD_TIMER_CANCEL_ON_SET), NAME(TFD_CLOEXEC),
                                  NAME(TFD_NONBLOCK)};

constexpr Field kTimespecFields[] = {FIELD(Timespec, tv_sec, kSignedNumber),
                                     FIELD(Timespec, tv_nsec, kSignedNumber)};
constexpr Field kTimevalFields[] = {FIELD(Timeval, tv_sec, kSignedNumber),
                                    FIELD(Timeval, tv_usec, kSignedNumber)};

}  // namespace

constexpr Type kTimespec{"struct timespec", show_structure, sizeof(Timespec), {}, "", kTimespecFields};
constexpr Type kTimeval{"struct timeval", show_structure, sizeof(Timeval), {}, "", kTimevalFields};

namespace {

constexpr Field kItimerspecFields[] = {FIELD(__kernel_itimerspec, it_interval, kTimespec),
                                       FIELD(__kernel_itimerspec, it_value, kTimespec)};
struct KernelItimerval {
  Timeval it_interval, it_value;
};
constexpr Field kItimervalFields[] = {FIELD(KernelItimerval, it_interval, kTimeval),
                                      FIELD(KernelItimerval, it_value, kTimeval)};
using Timezone = struct timezone;
constexpr Field kTimezoneFields[] = {FIELD(Timezone, tz_minuteswest, kSignedNumber),
                                     FIELD(Timezone, tz_dsttime, kSignedNumber)};
using Tms = struct tms;
constexpr Field kTmsFields[] = {FIELD(Tms, tms_utime, kSignedNumber), FIELD(Tms, tms_stime, kSignedNumber),
                                FIELD(Tms, tms_cutime, kSignedNumber), FIELD(Tms, tms_cstime, kSignedNumber)};

constexpr Name kAdjustModes[] = {
    {"0", 0, 0},        NAME(ADJ_OFFSET_SINGLESHOT), NAME(ADJ_OFFSET), NAME(ADJ_FREQUENCY),
    NAME(ADJ_MAXERROR), NAME(ADJ_ESTERROR),          NAME(ADJ_STATUS), NAME(ADJ_TIMECONST),
    NAME(ADJ_TAI),      NAME(ADJ_SETOFFSET),         NAME(ADJ_MICRO),  NAME(ADJ_NANO),
    NAME(ADJ_TICK)};
constexpr Name kClockStatus[] = {
    NAME(STA_PLL),       NAME(STA_PPSFREQ),   NAME(STA_PPSTIME),   NAME(STA_FLL),
    NAME(STA_INS),       NAME(STA_DEL),       NAME(STA_UNSYNC),    NAME(STA_FREQHOLD),
    NAME(STA_PPSSIGNAL), NAME(STA_PPSJITTER), NAME(STA_PPSWANDER), NAME(STA_PPSERROR),
    NAME(STA_CLOCKERR),  NAME(STA_NANO),      NAME(STA_MODE),      NAME(STA_CLK)};
constexpr Type kAdjustModeNames{"", show_flags, 4, kAdjustModes, "ADJ_???"};
constexpr Type kClockStatusNames{"", show_flags, 4, kClockStatus, "STA_???"};
using Timex = struct timex;
constexpr Type kTimexTime{"", show_structure, sizeof(Timeval), {}, "", kTimevalFields};
constexpr Field kTimexFields[] = {
    FIELD(Timex, modes, kAdjustModeNames),  FIELD(Timex, offset, kSignedNumber),
    FIELD(Timex, freq, kSignedNumber),      FIELD(Timex, maxerror, kSignedNumber),
    FIELD(Timex, esterror, kSignedNumber),  FIELD(Timex, status, kClockStatusNames),
    FIELD(Timex, constant, kSignedNumber),  FIELD(Timex, precision, kSignedNumber),
    FIELD(Timex, tolerance, kSignedNumber), FIELD(Timex, time, kTimexTime),
    FIELD(Timex, tick, kSignedNumber),      FIELD(Timex, ppsfreq, kSignedNumber),
    FIELD(Timex, jitter, kSignedNumber),    FIELD(Timex, shift, kSignedNumber),
    FIELD(Timex, stabil, kSignedNumber),    FIELD(Timex, jitcnt, kSignedNumber),
    FIELD(Timex, calcnt, kSignedNumber),    FIELD(Timex, errcnt, kSignedNumber),
    FIELD(Timex, stbcnt, kSignedNumber),    FIELD(Timex, tai, kSignedNumber)};
constexpr Name kClockStates[] = {{"TIME_OK", 0},  {"TIME_INS", 1},  {"TIME_DEL", 2},
                                 {"TIME_OOP", 3}, {"TIME_WAIT", 4}, {"TIME_ERROR", 5}};

Value show_clock_state(Scope& scope, const Type& type, const Source& source) {
  if (const char* name = name_of(source.number, 8, type.names)) scope.remark({}, Value::word(name));
  return Value::natural(source.number);
}

Value file_time(Scope& scope, const Timespec& time) {
  if (time.tv_nsec == UTIME_NOW) return Value::word("UTIME_NOW");
  if (time.tv_nsec == UTIME_OMIT) return Value::word("UTIME_OMIT");
  return scope.show_object(kTimespec, time);
}

Value show_file_times(Scope& scope, const Type&, const Source& source) {
  struct Pair {
    Timespec access, modification;
  };
  if (source.number == 0) return Value::address(0);
  const auto times = scope.read<Pair>(source.number);
  if (!times) return Value::address(source.number);
  Value array = Value::array();
  array.add(file_time(scope, times->access));
  array.add(file_time(scope, times->modification));
  return array;
}

constexpr Type kTypes[] = {
    kTimespec,
    kTimeval,
    {"ClockId", show_clock, 4, kClocks, "CLOCK_???"},
    {"ItimerWhich", show_choice, 4, kTimers, "ITIMER_???"},
    {"TimerFlags", show_flags, 4, kTimerFlags, "TIMER_???"},
    {"TimerFdFlags", show_flags, 4, kTimerFdFlags, "TFD_???"},
    {"struct itimerspec", show_structure, sizeof(__kernel_itimerspec), {}, "", kItimerspecFields},
    {"struct itimerval", show_structure, sizeof(KernelItimerval), {}, "", kItimervalFields},
    {"struct timezone", show_structure, sizeof(Timezone), {}, "", kTimezoneFields},
    {"struct tms", show_structure, sizeof(Tms), {}, "", kTmsFields},
    {"struct timex", show_structure, sizeof(Timex), {}, "", kTimexFields},
    {"ClockState", show_clock_state, 4, kClockStates},
    {"FileTimesPtr", show_file_times},
};
constexpr Names kMoreNames[] = {kAdjustModes, kClockStatus};

}  // namespace

Family time_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
