// getuid(2), setuid(2) and their family, getgroups(2), setgroups(2): the kernel decides and the sentry
// forgets what it knew, unless the sentry keeps the task's ids itself.
#include <linux/capability.h>

#include "sentry/calls/handlers.h"
#include "sentry/calls/kept_ids.h"

namespace sandbox {

namespace {

constexpr int kMostGroups = 65536;  // NGROUPS_MAX

}  // namespace

SyscallResult sys_getuid(Call& call) { return int64_t{call.credentials().uid}; }
SyscallResult sys_geteuid(Call& call) { return int64_t{call.credentials().euid}; }
SyscallResult sys_getgid(Call& call) { return int64_t{call.credentials().gid}; }
SyscallResult sys_getegid(Call& call) { return int64_t{call.credentials().egid}; }

SyscallResult sys_getresuid(Call& call, Out<Uid> ruid, Out<Uid> euid, Out<Uid> suid) {
  const Credentials& who = call.credentials();
  TRY(call.memory().write(ruid, Uid{{who.uid}}));
  TRY(call.memory().write(euid, Uid{{who.euid}}));
  TRY(call.memory().write(suid, Uid{{who.suid}}));
  return 0;
}

SyscallResult sys_getresgid(Call& call, Out<Gid> rgid, Out<Gid> egid, Out<Gid> sgid) {
  const Credentials& who = call.credentials();
  TRY(call.memory().write(rgid, Gid{{who.gid}}));
  TRY(call.memory().write(egid, Gid{{who.egid}}));
  TRY(call.memory().write(sgid, Gid{{who.sgid}}));
  return 0;
}

SyscallResult sys_getgroups(Call& call, Int size, OutGroups list) {
  const std::vector<gid_t>& groups = call.credentials().groups;
  const auto count = static_cast<int64_t>(groups.size());
  if (size < 0 || (size > 0 && size < count)) return err(EINVAL);
  if (size > 0) TRY(call.memory().write_bytes(list.address, std::as_bytes(std::span(groups))));
  return count;
}

SyscallResult sys_setuid(Call& call, Uid uid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_user(uid)); });
}

SyscallResult sys_setgid(Call& call, Gid gid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_group(gid)); });
}

SyscallResult sys_setreuid(Call& call, Uid ruid, Uid euid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_real_user(ruid, euid)); });
}

SyscallResult sys_setregid(Call& call, Gid rgid, Gid egid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_real_group(rgid, egid)); });
}

SyscallResult sys_setresuid(Call& call, Uid ruid, Uid euid, Uid suid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_users(ruid, euid, suid)); });
}

SyscallResult sys_setresgid(Call& call, Gid rgid, Gid egid, Gid sgid) {
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_groups(rgid, egid, sgid)); });
}

SyscallResult sys_setfsuid(Call& call, Uid fsuid) {
  return change_ids(call, [&](TaskIds& ids) -> Result<int64_t> { return ids.set_filesystem_user(fsuid); });
}

SyscallResult sys_setfsgid(Call& call, Gid fsgid) {
  return change_ids(call, [&](TaskIds& ids) -> Result<int64_t> { return ids.set_filesystem_group(fsgid); });
}

// Errors: EPERM, EINVAL, EFAULT.
SyscallResult sys_setgroups(Call& call, Int size, InGroups list) {
  auto ids = call.task().own_ids();
  if (ids == nullptr) return let_kernel_change(call);
  if (!ids->capabilities.has(CAP_SETGID)) return err(EPERM);
  if (size < 0 || size > kMostGroups) return err(EINVAL);
  std::vector<gid_t> groups = TRY(call.memory().read_array(list, static_cast<size_t>(size)));
  return change_ids(call, [&](TaskIds& ids) { return zero_if(ids.set_supplementary(std::move(groups))); });
}

}  // namespace sandbox
