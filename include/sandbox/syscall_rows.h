// The syscall table as a constant expression, for code that computes with it while compiling.
// It drags in the kernel's constants: everything else uses syscall_table.h.
#pragma once

#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/syscall_table.h"

namespace sandbox {
namespace table_detail {

using namespace policy_words;

#define SYSCALL(number, name, policy, signature, note)                                                 \
  inline constexpr SyscallSignature kSignature_##name = detail::read_signature<signature>(#signature); \
  inline constexpr auto kPolicy_##name = detail::resolve(policy, kSignature_##name);
#include "sandbox/syscalls.def"

}  // namespace table_detail

inline constexpr auto kSyscallRows = std::to_array<SyscallRow>({
#define SYSCALL(number, name, policy, signature, note) \
  {number,                                             \
   #name,                                              \
   table_detail::kPolicy_##name.default_action,        \
   table_detail::kPolicy_##name.rules,                 \
   note,                                               \
   table_detail::kSignature_##name},
#include "sandbox/syscalls.def"
});

}  // namespace sandbox
