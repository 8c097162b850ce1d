// SeccompProfile: a seccomp profile as the OCI runtime specification has it, and SeccompFilter, which a
// workload runs under besides the sandbox's own filter.
#pragma once

#include <linux/filter.h>

#include <bitset>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "platform/platform.h"

namespace sandbox::platform {

// What a profile does with a call. SCMP_ACT_TRACE is kErrno with ENOSYS, as where no tracer is attached: in a
// sandbox nobody can be. SCMP_ACT_NOTIFY has no word here: an agent could let the kernel make calls that the
// sentry is to answer.
struct ProfileAction {
  enum class Kind : uint8_t { kAllow, kLog, kErrno, kTrap, kKillThread, kKillProcess };
  Kind kind = Kind::kAllow;
  uint16_t error = 0;  // of kErrno
  bool operator==(const ProfileAction&) const = default;
};

// A test of one register, all 64 bits of it, as libseccomp has it.
struct ProfileCondition {
  enum class Test : uint8_t {
    kNotEqual,
    kLess,
    kLessOrEqual,
    kEqual,
    kGreaterOrEqual,
    kGreater,
    kMaskedEqual,  // (register & value) == second_value
  };
  unsigned argument = 0;  // 0 to 5
  Test test = Test::kEqual;
  uint64_t value = 0, second_value = 0;
};

struct ProfileRule {
  std::vector<std::string> names;  // those that x86-64 does not have are left out
  ProfileAction action;
  // All must hold; when two are about the same argument, any of them, as other runtimes read it.
  std::vector<ProfileCondition> conditions;
};

struct SeccompProfile {
  ProfileAction default_action;
  // Besides x86-64. Calls of an architecture that is not here kill the thread; of one that is here they fail
  // with ENOSYS, by the sandbox's own filter.
  bool has_i386 = false, has_x32 = false;
  unsigned flags = 0;  // SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW
  std::vector<ProfileRule> rules;
};

// Told of every call that a profile does not simply allow, while its thread is stopped or waits for its
// answer. From any engine thread.
class ProfileObserver {
 public:
  virtual ~ProfileObserver() = default;
  enum class Interest : uint8_t { kNone, kRegisters };
  virtual Interest on_call_against_profile(const SyscallEvent& event, GuestMemory& memory,
                                           const ProfileAction& action) = 0;
  // Those of that call, when there is interest: the thread is stopped in it or right behind it. Never when it
  // died first.
  virtual void on_registers(pid_t tid, const user_regs_struct& registers) = 0;
};

class SeccompFilter {
 public:
  // The error says, in words, which rule cannot be had.
  static std::expected<SeccompFilter, std::string> compile(const SeccompProfile& profile);

  // What the profile says of a call of x86-64.
  ProfileAction decide(const SyscallEvent& event) const;

  // The program to install behind the sandbox's own. kSilent: the kernel does what the profile says.
  // kReported: calls that fail or are logged are RET_TRACE with kProfileCall as their event's message (where
  // the sandbox's own filter says RET_USER_NOTIF, that wins), and whoever gets them does as decide() says.
  // Either way calls that the loader needs are RET_TRACE when the profile would refuse them, as the kernel
  // cannot tell whose they are.
  enum class Reports { kSilent, kReported };
  std::vector<sock_filter> program(EngineKind engine, Reports reports) const;
  static constexpr uint16_t kProfileCall = 0x5ecc;

  // A stopped call that is given this number meets `action` (kTrap, kKillThread, kKillProcess) in the kernel.
  static uint32_t number_that_meets(const ProfileAction& action);

  unsigned flags() const { return flags_; }

 private:
  static constexpr size_t kNumbers = 1024;

  SeccompFilter() = default;
  bool has_i386_ = false, has_x32_ = false;
  unsigned flags_ = 0;
  std::vector<sock_filter> rules_;    // for numbers of x86-64, with the profile's own verdicts
  std::bitset<kNumbers> is_allowed_;  // whatever the arguments
};

}  // namespace sandbox::platform
