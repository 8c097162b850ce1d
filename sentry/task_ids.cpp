// The rules by which a task's ids change.
#include "sentry/task_ids.h"

#include <linux/capability.h>

#include <algorithm>

namespace sandbox {
namespace {

constexpr uint32_t kUnchanged = UINT32_MAX;

bool is_one_of(const TaskIds::Set& set, uint32_t id) {
  return id == set.real || id == set.effective || id == set.saved;
}

Result<void> set_one(TaskIds::Set& set, uint32_t id, bool may) {
  if (id == kUnchanged) return err(EINVAL);
  if (may) {
    set = {id, id, id, id};
    return {};
  }
  if (id != set.real && id != set.saved) return err(EPERM);
  set.effective = set.filesystem = id;
  return {};
}

Result<void> set_two(TaskIds::Set& set, uint32_t real, uint32_t effective, bool may) {
  TaskIds::Set changed = set;
  if (real != kUnchanged) {
    if (!may && real != set.real && real != set.effective) return err(EPERM);
    changed.real = real;
  }
  if (effective != kUnchanged) {
    if (!may && !is_one_of(set, effective)) return err(EPERM);
    changed.effective = effective;
  }
  if (real != kUnchanged || (effective != kUnchanged && effective != set.real))
    changed.saved = changed.effective;
  changed.filesystem = changed.effective;
  set = changed;
  return {};
}

Result<void> set_three(TaskIds::Set& set, uint32_t real, uint32_t effective, uint32_t saved, bool may) {
  for (uint32_t id : {real, effective, saved})
    if (!may && id != kUnchanged && !is_one_of(set, id)) return err(EPERM);
  if (real != kUnchanged) set.real = real;
  if (effective != kUnchanged) set.effective = effective;
  if (saved != kUnchanged) set.saved = saved;
  set.filesystem = set.effective;
  return {};
}

uint32_t set_filesystem(TaskIds::Set& set, uint32_t id, bool may) {
  const uint32_t before = set.filesystem;
  if (id != kUnchanged && (may || is_one_of(set, id) || id == before)) set.filesystem = id;
  return before;
}

}  // namespace

TaskIds TaskIds::of(uid_t uid, gid_t gid, std::vector<gid_t> supplementary, const CapabilitySets& sets) {
  std::ranges::sort(supplementary);
  return {.users = {uid, uid, uid, uid},
          .groups = {gid, gid, gid, gid},
          .supplementary = std::move(supplementary),
          .capabilities = {.sets = sets}};
}

Result<void> TaskIds::set_user(uint32_t id) {
  const Set before = users;
  TRY(set_one(users, id, capabilities.has(CAP_SETUID)));
  capabilities.follow_users(before, users);
  return {};
}

Result<void> TaskIds::set_real_user(uint32_t real, uint32_t effective) {
  const Set before = users;
  TRY(set_two(users, real, effective, capabilities.has(CAP_SETUID)));
  capabilities.follow_users(before, users);
  return {};
}

Result<void> TaskIds::set_users(uint32_t real, uint32_t effective, uint32_t saved) {
  const Set before = users;
  TRY(set_three(users, real, effective, saved, capabilities.has(CAP_SETUID)));
  capabilities.follow_users(before, users);
  return {};
}

Result<void> TaskIds::set_group(uint32_t id) { return set_one(groups, id, capabilities.has(CAP_SETGID)); }

Result<void> TaskIds::set_real_group(uint32_t real, uint32_t effective) {
  return set_two(groups, real, effective, capabilities.has(CAP_SETGID));
}

Result<void> TaskIds::set_groups(uint32_t real, uint32_t effective, uint32_t saved) {
  return set_three(groups, real, effective, saved, capabilities.has(CAP_SETGID));
}

uint32_t TaskIds::set_filesystem_user(uint32_t id) {
  const uint32_t before = set_filesystem(users, id, capabilities.has(CAP_SETUID));
  capabilities.follow_filesystem_user(before, users.filesystem);
  return before;
}

uint32_t TaskIds::set_filesystem_group(uint32_t id) {
  return set_filesystem(groups, id, capabilities.has(CAP_SETGID));
}

Result<void> TaskIds::set_supplementary(std::vector<gid_t> ids) {
  if (!capabilities.has(CAP_SETGID)) return err(EPERM);
  if (std::ranges::count(ids, kUnchanged) != 0) return err(EINVAL);
  std::ranges::sort(ids);
  supplementary = std::move(ids);
  return {};
}

void TaskIds::note_exec() {
  users.saved = users.filesystem = users.effective;
  groups.saved = groups.filesystem = groups.effective;
  capabilities.follow_exec(users);
}

Credentials TaskIds::credentials() const {
  return {.uid = users.real,
          .euid = users.effective,
          .suid = users.saved,
          .fsuid = users.filesystem,
          .gid = groups.real,
          .egid = groups.effective,
          .sgid = groups.saved,
          .fsgid = groups.filesystem,
          .groups = supplementary,
          .effective_caps = capabilities.sets.effective,
          .permitted_caps = capabilities.sets.permitted};
}

}  // namespace sandbox
