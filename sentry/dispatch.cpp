// The handler of each number, generated from the system call table.
#include "sentry/dispatch.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "sandbox/syscall_rows.h"
#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

using Handler = SyscallResult (*)(Call&);

template <auto handler>
SyscallResult with_decoded_registers(Call& call) {
  return call_handler(handler, call, call.event().args);
}

enum class IsEmulated { kNo, kYes };

// Only the handlers of emulated rows are referred to, so that the linker wants no others.
template <IsEmulated is_emulated, auto handler>
constexpr Handler pick() {
  if constexpr (is_emulated == IsEmulated::kYes) return &with_decoded_registers<handler>;
  return nullptr;
}

template <size_t rule_count>
consteval IsEmulated is_emulated(const Policy<rule_count>& policy) {
  bool can_be = policy.default_action.reaches_handler();
  for (const Rule& rule : policy.rules) can_be |= rule.action.reaches_handler();
  return can_be ? IsEmulated::kYes : IsEmulated::kNo;
}

constexpr size_t kHandlerCount = kSyscallRows.back().number + 1;

constexpr auto kHandlers = [] {
  std::array<Handler, kHandlerCount> handlers{};
#define SYSCALL(number, name, policy, signature, note) \
  handlers[number] = pick<is_emulated(table_detail::kPolicy_##name), sys_##name>();
#include "sandbox/syscalls.def"
  return handlers;
}();

// Calls on an object that may make them wait: a socket, a terminal.
constexpr uint32_t kMayWait[] = {SYS_connect, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
                                 SYS_ioctl,   SYS_fcntl,  SYS_flock};

}  // namespace

SyscallResult dispatch(Call& call) {
  uint32_t number = call.event().number;
  if (number >= kHandlers.size() || kHandlers[number] == nullptr) return err(ENOSYS);
  return kHandlers[number](call);
}

bool never_waits(uint32_t syscall_number) {
  if (syscall_number >= kHandlers.size() || kHandlers[syscall_number] == nullptr) return false;
  return std::ranges::find(kMayWait, syscall_number) == std::end(kMayWait);
}

}  // namespace sandbox
