// ActingIds: the caller's effective ids as the sentry's user namespace numbers them, for what an Errand does
// in its name.
#pragma once

#include <sys/types.h>

#include <vector>

#include "sandbox/credentials.h"
#include "sandbox/id_map.h"
#include "sandbox/result.h"
#include "sentry/errand.h"

namespace sandbox {

class Call;

struct ActingIds {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;  // ascending

  // Errors: EACCES when an id has no place in the sentry's namespace.
  static Result<ActingIds> of(const Credentials& credentials, const IdMap& uids, const IdMap& gids);
  // Where the sentry keeps the caller's ids the kernel knows the one it has.
  static Result<ActingIds> of(Call& call);
  // Whether the sentry has these ids itself.
  bool are_own() const;
  // Steps that make an errand act with these ids and without the sentry's capabilities; none when they are
  // its own. This object must outlive the errand's run.
  void add_to(Errand& errand) const;
};

}  // namespace sandbox
