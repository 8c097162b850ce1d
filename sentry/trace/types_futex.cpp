// Futexes: operations, and per operation which arguments count and what they are.
#include <linux/futex.h>
#include <linux/time_types.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr uint64_t kCommandBits = ~uint64_t{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME};
constexpr Name kCommands[] = {
    NAME(FUTEX_WAIT),           NAME(FUTEX_WAKE),        NAME(FUTEX_FD),          NAME(FUTEX_REQUEUE),
    NAME(FUTEX_CMP_REQUEUE),    NAME(FUTEX_WAKE_OP),     NAME(FUTEX_LOCK_PI),     NAME(FUTEX_UNLOCK_PI),
    NAME(FUTEX_TRYLOCK_PI),     NAME(FUTEX_WAIT_BITSET), NAME(FUTEX_WAKE_BITSET), NAME(FUTEX_WAIT_REQUEUE_PI),
    NAME(FUTEX_CMP_REQUEUE_PI), NAME(FUTEX_LOCK_PI2)};

uint64_t command_of(Scope& scope) { return scope.argument(1) & kCommandBits & 0xffffffff; }

bool is_known(Scope& scope) { return name_of(command_of(scope), 4, kCommands) != nullptr; }

// FUTEX_WAIT_PRIVATE, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME
Value show_operation(Scope& scope, const Type&, const Source& source) {
  Value value = choice_value(command_of(scope), 4, kCommands, "FUTEX_???");
  value.number = source.number;
  if (value.text.empty()) return value;
  if (source.number & FUTEX_PRIVATE_FLAG) value.text += "_PRIVATE";
  if (source.number & FUTEX_CLOCK_REALTIME) value.text += "|FUTEX_CLOCK_REALTIME";
  return value;
}

// The value argument: how many to wake, or what is expected in memory.
Value show_expected(Scope& scope, const Type&, const Source& source) {
  switch (command_of(scope)) {
    case FUTEX_LOCK_PI:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_LOCK_PI2:
      return {};
    default:
      return Value::natural(source.number);
  }
}

Value show_timeout(Scope& scope, const Type&, const Source& source) {
  switch (command_of(scope)) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return scope.pointer(kTimespec, source.number);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
    case FUTEX_WAKE_OP:
      return Value::natural(static_cast<uint32_t>(source.number));
    case FUTEX_FD:
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
      return {};
    default:
      return Value::address(source.number);
  }
}

Value show_second_address(Scope& scope, const Type&, const Source& source) {
  switch (command_of(scope)) {
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_WAKE_OP:
      return Value::address(source.number);
    default:
      return is_known(scope) ? Value{} : Value::address(source.number);
  }
}

constexpr Name kOperations[] = {NAME(FUTEX_OP_SET), NAME(FUTEX_OP_ADD), NAME(FUTEX_OP_OR),
                                NAME(FUTEX_OP_ANDN), NAME(FUTEX_OP_XOR)};
constexpr Name kComparisons[] = {NAME(FUTEX_OP_CMP_EQ), NAME(FUTEX_OP_CMP_NE), NAME(FUTEX_OP_CMP_LT),
                                 NAME(FUTEX_OP_CMP_LE), NAME(FUTEX_OP_CMP_GT), NAME(FUTEX_OP_CMP_GE)};

Value wake_operation(uint32_t number) {
  constexpr unsigned kOperationShift = 28, kArgumentShift = 12, kComparisonShift = 24;
  const auto part = [&](uint32_t value, Names names) {
    const char* name = name_of(value, 4, names);
    return name != nullptr ? std::string(name) : hex(value);
  };
  std::string text = number >> 31 ? "FUTEX_OP_OPARG_SHIFT<<28|" : "";
  text += part((number >> kOperationShift) & 7, kOperations) + "<<28|" +
          hex((number >> kArgumentShift) & 0xfff) + "<<12|";
  text += part((number >> kComparisonShift) & 0xf, kComparisons) + "<<24|" + hex(number & 0xfff);
  return Value::expression(std::move(text), Value::natural(number));
}

Value show_third_value(Scope& scope, const Type&, const Source& source) {
  const auto number = static_cast<uint32_t>(source.number);
  switch (command_of(scope)) {
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAKE_BITSET:
      return number == FUTEX_BITSET_MATCH_ANY
                 ? Value::expression("FUTEX_BITSET_MATCH_ANY", Value::natural(number))
                 : Value::hex(number);
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
      return Value::natural(number);
    case FUTEX_WAKE_OP:
      return wake_operation(number);
    default:
      return is_known(scope) ? Value{} : Value::hex(number);
  }
}

constexpr Name kFutexFlags[] = {
    {"FUTEX2_SIZE_U8", 0, 3}, {"FUTEX2_SIZE_U16", 1, 3}, {"FUTEX2_SIZE_U32", 2, 3}, {"FUTEX2_SIZE_U64", 3, 3},
    {"FUTEX2_NUMA", 4},       {"FUTEX2_MPOL", 8},        {"FUTEX2_PRIVATE", 128}};
constexpr Type kFutexFlagNames{"FutexFlags", show_flags, 4, kFutexFlags, "FUTEX2_???"};
struct Waiter {
  uint64_t val, uaddr;
  uint32_t flags, __reserved;
};
constexpr Field kWaiterFields[] = {FIELD(Waiter, val, kHexNumber), FIELD(Waiter, uaddr, kAddressField),
                                   FIELD(Waiter, flags, kFutexFlagNames)};

constexpr Type kTypes[] = {
    {"FutexOperation", show_operation, 4, kCommands},
    {"FutexExpected", show_expected},
    {"FutexTimeout", show_timeout},
    {"FutexAddress", show_second_address},
    {"FutexValue", show_third_value},
    kFutexFlagNames,
    {"FutexWaiter", show_structure, sizeof(Waiter), {}, "", kWaiterFields},
};

}  // namespace

Family futex_family() { return {kTypes}; }

}  // namespace sandbox::trace
