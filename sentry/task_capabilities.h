// TaskCapabilities: capabilities that the sentry keeps for a task whose ids it keeps.
#pragma once

#include <linux/securebits.h>

#include <cstdint>

#include "sandbox/credentials.h"
#include "sandbox/result.h"

namespace sandbox {

// The Linux analogue is the capability part of struct cred. Changes follow capabilities(7) and
// security/commoncap.c; each method changes nothing when it fails.
struct TaskCapabilities {
  CapabilitySets sets;
  uint32_t secure_bits = 0;  // SECBIT_*

  bool has(int capability) const { return (sets.effective >> capability) & 1; }
  bool has_secure_bit(uint32_t bit) const { return (secure_bits & bit) != 0; }

  // What root is to have, before and after a change of user ids (cap_task_fix_setuid).
  struct Users {
    uint32_t real = 0, effective = 0, saved = 0, filesystem = 0;
    bool operator==(const Users&) const = default;
  };
  void follow_users(const Users& before, const Users& after);
  void follow_filesystem_user(uint32_t before, uint32_t after);
  // execve(2) under no_new_privs: capabilities of files do not count, and none is won.
  void follow_exec(const Users& users);

  // capset(2). Errors: EPERM.
  Result<void> set(uint64_t permitted, uint64_t effective, uint64_t inheritable);
  // prctl(2). Errors: EPERM, EINVAL (no such capability or bit).
  Result<void> keep_over_users(uint64_t is_kept);                    // PR_SET_KEEPCAPS
  Result<int64_t> is_bounding(uint64_t capability) const;            // PR_CAPBSET_READ
  Result<void> drop_bounding(uint64_t capability);                   // PR_CAPBSET_DROP
  Result<void> set_secure_bits(uint64_t bits);                       // PR_SET_SECUREBITS
  Result<int64_t> ambient(uint64_t operation, uint64_t capability);  // PR_CAP_AMBIENT
};

}  // namespace sandbox
