// capget(2), capset(2), and prctl(2) as far as it is about capabilities and no_new_privs.
#include <linux/capability.h>
#include <sys/prctl.h>

#include <array>
#include <span>

#include "sentry/calls/handlers.h"
#include "sentry/calls/kept_ids.h"

namespace sandbox {

namespace {

using Header = __user_cap_header_struct;
using Words = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;
using Set = uint32_t __user_cap_data_struct::*;

constexpr uint64_t kValidCapabilities = (uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;

bool is_version(uint32_t version) {
  return version == _LINUX_CAPABILITY_VERSION_1 || version == _LINUX_CAPABILITY_VERSION_2 ||
         version == _LINUX_CAPABILITY_VERSION_3;
}

// A version that is none is answered with the newest one. Errors: EINVAL, EFAULT.
Result<void> refuse_version(Call& call, GuestPtr<uint32_t> version) {
  TRY(call.memory().write(version, uint32_t{_LINUX_CAPABILITY_VERSION_3}));
  return err(EINVAL);
}

size_t data_size(const Header& header) {
  const size_t count =
      header.version == _LINUX_CAPABILITY_VERSION_1 ? _LINUX_CAPABILITY_U32S_1 : _LINUX_CAPABILITY_U32S_3;
  return count * sizeof(__user_cap_data_struct);
}

void put(Words& words, Set set, uint64_t bits) {
  words[0].*set = static_cast<uint32_t>(bits);
  words[1].*set = static_cast<uint32_t>(bits >> 32);
}

uint64_t get(const Words& words, Set set) {
  return (words[0].*set | uint64_t{words[1].*set} << 32) & kValidCapabilities;
}

// Errors: EINVAL, ESRCH.
Result<CapabilitySets> sets_of(Call& call, pid_t pid) {
  if (pid < 0) return err(EINVAL);
  auto ids = TRY(call.task_called(pid))->own_ids();
  return ids != nullptr ? ids->capabilities.sets : CapabilitySets{};
}

struct Request {
  int option;
  uint64_t arg2, arg3;
  bool has_rest;  // arguments behind them
};

Result<int64_t> change_capabilities(TaskCapabilities& capabilities, const Request& request) {
  switch (request.option) {
    case PR_GET_KEEPCAPS:
      return capabilities.has_secure_bit(SECBIT_KEEP_CAPS) ? 1 : 0;
    case PR_SET_KEEPCAPS:
      return zero_if(capabilities.keep_over_users(request.arg2));
    case PR_CAPBSET_READ:
      return capabilities.is_bounding(request.arg2);
    case PR_CAPBSET_DROP:
      return zero_if(capabilities.drop_bounding(request.arg2));
    case PR_GET_SECUREBITS:
      return capabilities.secure_bits;
    case PR_SET_SECUREBITS:
      return zero_if(capabilities.set_secure_bits(request.arg2));
    default:
      if (request.has_rest) return err(EINVAL);
      return capabilities.ambient(request.arg2, request.arg3);
  }
}

}  // namespace

// Errors: EFAULT, EINVAL (version, pid), ESRCH.
SyscallResult sys_capget(Call& call, InOut<CapabilityHeader> pointer, OutCapabilities data) {
  if (call.task().own_ids() == nullptr) return Reply::run_natively();
  const Header header = TRY(call.memory().read(pointer.cast<Header>()));
  if (!is_version(header.version)) {
    Result<void> refused = refuse_version(call, pointer.cast<uint32_t>());
    // A caller that has no place for sets wants to know the version.
    if (data.is_null() && refused.error() == Errno(EINVAL)) return 0;
    return std::unexpected(refused.error());
  }
  const CapabilitySets sets = TRY(sets_of(call, header.pid));
  if (data.is_null()) return 0;
  Words words{};
  put(words, &__user_cap_data_struct::effective, sets.effective);
  put(words, &__user_cap_data_struct::permitted, sets.permitted);
  put(words, &__user_cap_data_struct::inheritable, sets.inheritable);
  TRY(call.memory().write_bytes(data.address, std::as_bytes(std::span(words)).first(data_size(header))));
  return 0;
}

// Errors: EFAULT, EINVAL (version), EPERM (another's, more than the caller may have).
SyscallResult sys_capset(Call& call, In<CapabilityHeader> pointer, InCapabilities data) {
  if (call.task().own_ids() == nullptr) return let_kernel_change(call);
  const Header header = TRY(call.memory().read(pointer.cast<const Header>()));
  if (!is_version(header.version))
    return std::unexpected(refuse_version(call, pointer.cast<uint32_t>()).error());
  if (header.pid != 0 && header.pid != call.task().inside_ids(call.sentry().host_proc()).tid)
    return err(EPERM);
  Words words{};
  TRY(call.memory().read_bytes(data.address,
                               std::as_writable_bytes(std::span(words)).first(data_size(header))));
  return change_ids(call, [&](TaskIds& ids) {
    return zero_if(ids.capabilities.set(get(words, &__user_cap_data_struct::permitted),
                                        get(words, &__user_cap_data_struct::effective),
                                        get(words, &__user_cap_data_struct::inheritable)));
  });
}

// Errors: EINVAL (another argument is in use), and those of the options.
SyscallResult sys_prctl(Call& call, PrctlOption option, PrctlArgument2 arg2, PrctlArgument3 arg3,
                        PrctlArgument4 arg4, PrctlArgument5 arg5) {
  const bool has_last = uint64_t{arg4} != 0 || uint64_t{arg5} != 0;
  const bool has_rest = uint64_t{arg3} != 0 || has_last;
  if (option == PR_GET_NO_NEW_PRIVS) {
    if (uint64_t{arg2} != 0 || has_rest) return err(EINVAL);
    return static_cast<int64_t>(call.task().no_new_privs());
  }
  if (option == PR_SET_NO_NEW_PRIVS) {
    if (uint64_t{arg2} != 1 || has_rest) return err(EINVAL);
    call.task().set_no_new_privs(NoNewPrivs::kSet);
    return 0;
  }
  const Request request{option, uint64_t{arg2}, uint64_t{arg3}, has_last};
  return change_ids(call, [&](TaskIds& ids) { return change_capabilities(ids.capabilities, request); });
}

}  // namespace sandbox
