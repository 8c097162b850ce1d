// Translation of credentials for errands.
#include "sentry/acting_ids.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "sentry/call.h"
#include "sentry/sentry.h"

namespace sandbox {

Result<ActingIds> ActingIds::of(const Credentials& credentials, const IdMap& uids, const IdMap& gids) {
  auto uid = uids.to_outside(credentials.euid);
  auto gid = gids.to_outside(credentials.egid);
  if (!uid || !gid) return err(EACCES);
  ActingIds ids{*uid, *gid, {}};
  // A group that nobody outside can name gives no rights there.
  for (gid_t group : credentials.groups)
    if (auto outside = gids.to_outside(group)) ids.groups.push_back(*outside);
  std::ranges::sort(ids.groups);
  return ids;
}

Result<ActingIds> ActingIds::of(Call& call) {
  Sentry& sentry = call.sentry();
  const bool is_kept = call.task().own_ids() != nullptr;
  return of(is_kept ? Credentials{} : call.credentials(), sentry.uid_map(), sentry.gid_map());
}

bool ActingIds::are_own() const {
  if (uid != ::geteuid() || gid != ::getegid()) return false;
  int count = ::getgroups(0, nullptr);
  std::vector<gid_t> own(static_cast<size_t>(std::max(count, 0)));
  if (::getgroups(count, own.data()) != count) return false;
  std::ranges::sort(own);
  return own == groups;
}

void ActingIds::add_to(Errand& errand) const {
  if (are_own()) return;
  // Without the right to change groups (a namespace of one id) the workload cannot have changed its own
  // either.
  errand.add_optional(SYS_setgroups, groups.size(), groups.data());
  errand.add(SYS_setresgid, gid, gid, gid);
  errand.add(SYS_setresuid, uid, uid, uid);
}

}  // namespace sandbox
