// fcntl: its commands, and per command its argument and result.
#include <fcntl.h>

#include <array>

#include "sentry/trace/families.h"
#include "sentry/trace/signal_values.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr uint64_t kDescriptorFlag = 1;
constexpr Name kCommands[] = {{"F_DUPFD", F_DUPFD},
                              {"F_GETFD", F_GETFD},
                              {"F_SETFD", F_SETFD},
                              {"F_GETFL", F_GETFL},
                              {"F_SETFL", F_SETFL},
                              {"F_GETLK", F_GETLK},
                              {"F_SETLK", F_SETLK},
                              {"F_SETLKW", F_SETLKW},
                              {"F_SETOWN", F_SETOWN},
                              {"F_GETOWN", F_GETOWN},
                              {"F_SETSIG", F_SETSIG},
                              {"F_GETSIG", F_GETSIG},
                              {"F_SETOWN_EX", F_SETOWN_EX},
                              {"F_GETOWN_EX", F_GETOWN_EX},
                              {"F_GETOWNER_UIDS", 17},
                              {"F_OFD_GETLK", F_OFD_GETLK},
                              {"F_OFD_SETLK", F_OFD_SETLK},
                              {"F_OFD_SETLKW", F_OFD_SETLKW},
                              NAME(F_SETLEASE),
                              NAME(F_GETLEASE),
                              {"F_CANCELLK", 1029},
                              NAME(F_DUPFD_CLOEXEC),
                              NAME(F_NOTIFY),
                              NAME(F_SETPIPE_SZ),
                              NAME(F_GETPIPE_SZ),
                              NAME(F_ADD_SEALS),
                              NAME(F_GET_SEALS),
                              NAME(F_GET_RW_HINT),
                              NAME(F_SET_RW_HINT),
                              NAME(F_GET_FILE_RW_HINT),
                              NAME(F_SET_FILE_RW_HINT),
                              {"F_DUPFD_QUERY", 1027},
                              {"F_CREATED_QUERY", 1028}};
constexpr Name kDescriptorFlags[] = {{"FD_CLOEXEC", kDescriptorFlag}};
constexpr Name kLockTypes[] = {{"F_RDLCK", F_RDLCK}, {"F_WRLCK", F_WRLCK}, {"F_UNLCK", F_UNLCK}};
constexpr Name kWhences[] = {NAME(SEEK_SET), NAME(SEEK_CUR), NAME(SEEK_END)};
constexpr Name kSeals[] = {NAME(F_SEAL_SEAL),  NAME(F_SEAL_SHRINK),       NAME(F_SEAL_GROW),
                           NAME(F_SEAL_WRITE), NAME(F_SEAL_FUTURE_WRITE), {"F_SEAL_EXEC", 0x20}};
constexpr Name kNotifications[] = {NAME(DN_ACCESS), NAME(DN_MODIFY), NAME(DN_CREATE),   NAME(DN_DELETE),
                                   NAME(DN_RENAME), NAME(DN_ATTRIB), NAME(DN_MULTISHOT)};
constexpr Name kOwnerTypes[] = {{"F_OWNER_TID", 0}, {"F_OWNER_PID", 1}, {"F_OWNER_PGRP", 2}};
constexpr Name kHints[] = {{"RWH_WRITE_LIFE_NOT_SET", 0}, {"RWH_WRITE_LIFE_NONE", 1},
                           {"RWH_WRITE_LIFE_SHORT", 2},   {"RWH_WRITE_LIFE_MEDIUM", 3},
                           {"RWH_WRITE_LIFE_LONG", 4},    {"RWH_WRITE_LIFE_EXTREME", 5}};

constexpr Type kLockType{"", show_choice, 2, kLockTypes, "F_???"};
constexpr Type kWhence{"", show_choice, 2, kWhences, "SEEK_???"};
using Lock = struct flock;
constexpr Field kLockFields[] = {FIELD(Lock, l_type, kLockType), FIELD(Lock, l_whence, kWhence),
                                 FIELD(Lock, l_start, kSignedNumber), FIELD(Lock, l_len, kSignedNumber)};
constexpr Field kFoundLockFields[] = {FIELD(Lock, l_type, kLockType), FIELD(Lock, l_whence, kWhence),
                                      FIELD(Lock, l_start, kSignedNumber), FIELD(Lock, l_len, kSignedNumber),
                                      FIELD(Lock, l_pid, kSignedNumber)};
constexpr Type kLock{"", show_structure, sizeof(Lock), {}, "", kLockFields};
constexpr Type kFoundLock{"", show_structure, sizeof(Lock), {}, "", kFoundLockFields};
constexpr Type kOwnerType{"", show_choice, 4, kOwnerTypes, "F_OWNER_???"};
using Owner = struct f_owner_ex;
constexpr Field kOwnerFields[] = {FIELD(Owner, type, kOwnerType), FIELD(Owner, pid, kSignedNumber)};
constexpr Type kOwner{"", show_structure, sizeof(Owner), {}, "", kOwnerFields};
constexpr Type kHint{"", show_choice, 8, kHints, "RWH_WRITE_LIFE_???"};

Value show_argument_of_command(Scope& scope, const Type&, const Source& source) {
  const uint64_t argument = source.number;
  switch (scope.argument(1)) {
    case F_GETFD:
    case F_GETFL:
    case F_GETOWN:
    case F_GETSIG:
    case F_GETLEASE:
    case F_GETPIPE_SZ:
    case F_GET_SEALS:
    case 1028:  // F_CREATED_QUERY
      return {};
    case F_GETLK:
    case F_OFD_GETLK:
      return scope.is_exit() ? scope.pointer(kFoundLock, argument) : scope.pointer(kLock, argument);
    case F_GETOWN_EX:
      return scope.is_exit() ? scope.pointer(kOwner, argument) : Value::pending();
    case F_GET_RW_HINT:
    case F_GET_FILE_RW_HINT:
      return scope.is_exit() ? scope.pointer(kHint, argument) : Value::pending();
    default:
      break;
  }
  if (scope.is_exit()) return {};
  switch (scope.argument(1)) {
    case F_SETFD:
      return flags_value(argument, kDescriptorFlags, "FD_???");
    case F_SETFL:
      return open_flags_value(argument & 0xffffffff);
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return scope.pointer(kLock, argument);
    case F_SETOWN_EX:
      return scope.pointer(kOwner, argument);
    case F_SETSIG:
      return signal_value(static_cast<int>(argument));
    case F_SETLEASE:
      return choice_value(argument, 4, kLockTypes, "F_???");
    case F_NOTIFY:
      return flags_value(argument & 0xffffffff, kNotifications, "DN_???");
    case F_ADD_SEALS:
      return flags_value(argument & 0xffffffff, kSeals, "F_SEAL_???");
    case F_SET_RW_HINT:
    case F_SET_FILE_RW_HINT:
      return scope.pointer(kHint, argument);
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETPIPE_SZ:
    case F_SETOWN:
      return Value::integer(static_cast<int>(argument));
    case 1027:  // F_DUPFD_QUERY
      return scope.descriptor(static_cast<int>(argument));
    default:
      return Value::hex(argument);
  }
}

Value show_result_of_command(Scope& scope, const Type&, const Source& source) {
  const uint64_t result = source.number;
  switch (scope.argument(1)) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      return scope.descriptor(static_cast<int>(result));
    case F_GETFD:
      if (result != 0) scope.remark("flags", flags_value(result, kDescriptorFlags, "FD_???"));
      return Value::hex(result);
    case F_GETFL:
      scope.remark("flags", open_flags_value(result));
      return Value::hex(result);
    case F_GET_SEALS:
      if (result != 0) scope.remark("seals", flags_value(result, kSeals, "F_SEAL_???"));
      return Value::hex(result);
    case F_GETLEASE:
      scope.remark({}, choice_value(result, 8, kLockTypes, "F_???"));
      return Value::hex(result);
    case F_GETSIG:
      if (result != 0) scope.remark({}, signal_value(static_cast<int>(result)));
      return Value::integer(source.number);
    default:
      return Value::integer(static_cast<int64_t>(result));
  }
}

constexpr Type kTypes[] = {
    {"FcntlCommand", show_choice, 4, kCommands, "F_???"},
    {"FcntlArgument", show_argument_of_command},
    {"FcntlResult", show_result_of_command},
};
constexpr Names kMoreNames[] = {kDescriptorFlags, kLockTypes, kSeals, kNotifications, kOwnerTypes, kHints};

}  // namespace

Family fcntl_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
