// Ids that the sentry keeps: the rules of setuid(2) and its kin, compared with the kernel's where that lets
// us.
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

#include "sentry/task_ids.h"

using sandbox::CapabilitySets;
using sandbox::Errno;
using sandbox::TaskCapabilities;
using sandbox::TaskIds;

namespace {

constexpr uint64_t kMaySetIds = uint64_t{1} << CAP_SETUID | uint64_t{1} << CAP_SETGID;
constexpr uint32_t kNone = UINT32_MAX;

TaskIds root_with(uint64_t capabilities) {
  return TaskIds::of(0, 0, {},
                     {.bounding = capabilities, .permitted = capabilities, .effective = capabilities});
}

// The caller's own, by capget(2).
CapabilitySets kernels_sets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2]{};
  syscall(SYS_capget, &header, words);
  auto both = [&](auto member) { return words[0].*member | uint64_t{words[1].*member} << 32; };
  CapabilitySets sets{.permitted = both(&__user_cap_data_struct::permitted),
                      .effective = both(&__user_cap_data_struct::effective),
                      .inheritable = both(&__user_cap_data_struct::inheritable)};
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) sets.bounding |= uint64_t{1} << capability;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
      sets.ambient |= uint64_t{1} << capability;
  }
  return sets;
}

// One change of user ids: by the sentry's rules, and as a system call without any library between.
struct Step {
  std::function<bool(TaskIds&)> ours;
  std::function<bool()> kernels;
};

Step set_user(uint32_t id) {
  return {[=](TaskIds& ids) { return ids.set_user(id).has_value(); },
          [=] { return syscall(SYS_setuid, id) == 0; }};
}
Step set_real_user(uint32_t real, uint32_t effective) {
  return {[=](TaskIds& ids) { return ids.set_real_user(real, effective).has_value(); },
          [=] { return syscall(SYS_setreuid, real, effective) == 0; }};
}
Step set_users(uint32_t real, uint32_t effective, uint32_t saved) {
  return {[=](TaskIds& ids) { return ids.set_users(real, effective, saved).has_value(); },
          [=] { return syscall(SYS_setresuid, real, effective, saved) == 0; }};
}
Step keep_capabilities(unsigned long is_kept) {
  return {[=](TaskIds& ids) { return ids.capabilities.keep_over_users(is_kept).has_value(); },
          [=] { return prctl(PR_SET_KEEPCAPS, is_kept, 0, 0, 0) == 0; }};
}
Step drop_bounding(unsigned long capability) {
  return {[=](TaskIds& ids) { return ids.capabilities.drop_bounding(capability).has_value(); },
          [=] { return prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; }};
}
Step raise_ambient(unsigned long capability) {
  return {
      [=](TaskIds& ids) { return ids.capabilities.ambient(PR_CAP_AMBIENT_RAISE, capability).has_value(); },
      [=] { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0; }};
}
Step set_secure_bits(unsigned long bits) {
  return {[=](TaskIds& ids) { return ids.capabilities.set_secure_bits(bits).has_value(); },
          [=] { return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0; }};
}
Step set_capabilities(uint64_t permitted, uint64_t effective, uint64_t inheritable) {
  return {[=](TaskIds& ids) { return ids.capabilities.set(permitted, effective, inheritable).has_value(); },
          [=] {
            __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
            __user_cap_data_struct words[2]{};
            for (int word = 0; word < 2; ++word)
              words[word] = {static_cast<uint32_t>(effective >> 32 * word),
                             static_cast<uint32_t>(permitted >> 32 * word),
                             static_cast<uint32_t>(inheritable >> 32 * word)};
            return syscall(SYS_capset, &header, words) == 0;
          }};
}
Step set_filesystem_user(uint32_t id) {
  return {[=](TaskIds& ids) { return ids.set_filesystem_user(id) == id; },
          [=] { return static_cast<uint32_t>(syscall(SYS_setfsuid, id)) == id; }};
}

bool kernel_has(const TaskIds::Set& users) {
  uid_t real, effective, saved;
  return getresuid(&real, &effective, &saved) == 0 && real == users.real && effective == users.effective &&
         saved == users.saved && static_cast<uint32_t>(syscall(SYS_setfsuid, kNone)) == users.filesystem;
}

bool kernel_has(const TaskCapabilities& capabilities) {
  return kernels_sets() == capabilities.sets &&
         static_cast<uint32_t>(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0)) == capabilities.secure_bits;
}

// The number of the first step after which the two differ; 0: none.
int first_difference(const std::vector<Step>& steps) {
  pid_t child = fork();
  if (child == 0) {
    TaskIds ids = TaskIds::of(0, 0, {}, kernels_sets());
    int number = 0;
    for (const Step& step : steps) {
      ++number;
      if (step.ours(ids) != step.kernels() || !kernel_has(ids.users) || !kernel_has(ids.capabilities))
        _exit(number);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("changes of users follow the kernel's rules") {
  if (geteuid() != 0) {
    WARN("SKIP: needs root");
    return;
  }
  const uint32_t ids[] = {0, 1000, 33, kNone};
  std::vector<Step> singles;
  for (uint32_t id : ids) {
    singles.push_back(set_user(id));
    singles.push_back(set_filesystem_user(id));
    for (uint32_t other : ids) {
      singles.push_back(set_real_user(id, other));
      singles.push_back(set_users(id, other, 33));
      singles.push_back(set_users(1000, id, other));
    }
  }
  // Every step after every other; what a step leaves is the next one's start.
  for (const Step& first : singles) {
    std::vector<Step> steps{first};
    steps.insert(steps.end(), singles.begin(), singles.end());
    CHECK(first_difference(steps) == 0);
  }
}

TEST_CASE("changes of capabilities follow the kernel's rules") {
  if (geteuid() != 0) {
    WARN("SKIP: needs root");
    return;
  }
  constexpr uint64_t kSome = kMaySetIds | uint64_t{1} << CAP_SETPCAP | uint64_t{1} << CAP_CHOWN;
  const std::vector<Step> steps{
      set_capabilities(kSome, kSome, kSome),
      set_capabilities(kSome, kMaySetIds, 0),
      set_capabilities(kMaySetIds, kMaySetIds, kMaySetIds),
      set_capabilities(~uint64_t{0}, 0, 0),
      set_capabilities(0, 0, 0),
      keep_capabilities(1),
      keep_capabilities(0),
      keep_capabilities(2),
      drop_bounding(CAP_CHOWN),
      drop_bounding(63),
      raise_ambient(CAP_SETUID),
      raise_ambient(CAP_CHOWN),
      raise_ambient(63),
      set_secure_bits(SECBIT_NO_SETUID_FIXUP),
      set_secure_bits(SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED),
      set_secure_bits(0),
      set_secure_bits(1 << 30),
      set_users(1000, 1000, 0),
      set_users(kNone, 0, kNone),
      set_filesystem_user(1000),
      set_filesystem_user(0),
      set_user(1000),
      set_user(0),
  };
  int number = 0;
  for (const Step& first : steps) {
    for (const Step& second : steps) {
      INFO("first " << number / steps.size() << ", second " << number % steps.size());
      ++number;
      std::vector<Step> all{first, second};
      all.insert(all.end(), steps.begin(), steps.end());
      CHECK(first_difference(all) == 0);
    }
  }
}

TEST_CASE("giving up root gives up capabilities") {
  TaskIds ids = root_with(kMaySetIds);
  REQUIRE(ids.set_users(1000, 1000, 0));
  CHECK(ids.credentials().effective_caps == 0);
  CHECK(ids.credentials().permitted_caps == kMaySetIds);
  REQUIRE(ids.set_users(kNone, 0, kNone));
  CHECK(ids.credentials().effective_caps == kMaySetIds);
  REQUIRE(ids.set_user(1000));
  CHECK(ids.credentials().permitted_caps == 0);
  CHECK(ids.set_user(0).error() == Errno(EPERM));
  CHECK(ids.set_supplementary({1}).error() == Errno(EPERM));
  CHECK(ids.set_group(0).has_value());  // it is its own
  CHECK(ids.set_group(5).error() == Errno(EPERM));
}

TEST_CASE("a program is started with what its user has") {
  TaskIds ids = root_with(kMaySetIds);
  ids.note_exec();
  CHECK(ids.capabilities.sets == root_with(kMaySetIds).capabilities.sets);
  REQUIRE(ids.capabilities.keep_over_users(1));
  REQUIRE(ids.set_user(1000));
  CHECK(ids.capabilities.sets.permitted == kMaySetIds);
  REQUIRE(ids.capabilities.set(kMaySetIds, kMaySetIds, uint64_t{1} << CAP_SETUID));
  REQUIRE(ids.capabilities.ambient(PR_CAP_AMBIENT_RAISE, CAP_SETUID));
  ids.note_exec();
  CHECK(ids.capabilities.sets.permitted == uint64_t{1} << CAP_SETUID);
  CHECK(ids.capabilities.sets.effective == uint64_t{1} << CAP_SETUID);
  CHECK(!ids.capabilities.has_secure_bit(SECBIT_KEEP_CAPS));

  TaskIds saved = root_with(kMaySetIds);
  REQUIRE(saved.set_users(1000, 1000, 0));
  saved.note_exec();
  CHECK(saved.users == TaskIds::Set{1000, 1000, 1000, 1000});
  CHECK(saved.capabilities.sets.permitted == 0);
}
