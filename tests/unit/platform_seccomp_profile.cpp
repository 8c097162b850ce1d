// What a seccomp profile decides, and the program that the kernel gets, without making a call.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "platform/bpf_evaluator.h"
#include "platform/filter.h"
#include "platform/loader/loader_abi.h"
#include "platform/seccomp_profile.h"

namespace sandbox::tests {
namespace {

using namespace platform;
using Kind = ProfileAction::Kind;
using Test = ProfileCondition::Test;
using Reports = SeccompFilter::Reports;

SyscallEvent call(uint32_t number, std::array<uint64_t, 6> arguments = {}) {
  return {.host_tid = 1, .number = number, .args = arguments, .instruction_pointer = 0};
}

SeccompFilter compiled(const SeccompProfile& profile) {
  auto filter = SeccompFilter::compile(profile);
  REQUIRE(filter.has_value());
  return *std::move(filter);
}

uint32_t verdict(const SeccompFilter& filter, EngineKind engine, Reports reports, const SyscallEvent& event,
                 uint32_t architecture = AUDIT_ARCH_X86_64) {
  seccomp_data data{static_cast<int>(event.number), architecture, 0, {}};
  std::ranges::copy(event.args, data.args);
  return bpf::evaluate(filter.program(engine, reports), data).verdict;
}

SeccompProfile with_rule(ProfileRule rule) {
  SeccompProfile profile{.default_action = {Kind::kErrno, EPERM}};
  profile.rules.push_back(std::move(rule));
  return profile;
}

}  // namespace

TEST_CASE("a profile's rules decide, and its default") {
  SeccompProfile profile{.default_action = {Kind::kErrno, ENOSYS}};
  profile.rules.push_back({{"read", "no_such_call_of_linux"}, {Kind::kAllow}, {}});
  profile.rules.push_back({{"mkdir"}, {Kind::kKillProcess}, {}});
  profile.rules.push_back({{"sync"}, {Kind::kLog}, {}});
  profile.rules.push_back({{"reboot"}, {Kind::kTrap}, {}});
  profile.rules.push_back({{"swapon"}, {Kind::kKillThread}, {}});
  profile.rules.push_back({{"open"}, {Kind::kErrno, ENOSYS}, {}});
  const SeccompFilter filter = compiled(profile);
  CHECK(filter.decide(call(SYS_read)) == ProfileAction{Kind::kAllow});
  CHECK(filter.decide(call(SYS_mkdir)) == ProfileAction{Kind::kKillProcess});
  CHECK(filter.decide(call(SYS_sync)) == ProfileAction{Kind::kLog});
  CHECK(filter.decide(call(SYS_reboot)) == ProfileAction{Kind::kTrap});
  CHECK(filter.decide(call(SYS_swapon)) == ProfileAction{Kind::kKillThread});
  CHECK(filter.decide(call(SYS_open)) == ProfileAction{Kind::kErrno, ENOSYS});
  CHECK(filter.decide(call(1000000)) == ProfileAction{Kind::kErrno, ENOSYS});
}

TEST_CASE("every comparison looks at all 64 bits") {
  constexpr uint64_t kLarge = 0x1'0000'0005;
  struct Case {
    Test test;
    uint64_t value, second;
    std::vector<uint64_t> holding, failing;
  };
  const Case cases[] = {{Test::kEqual, kLarge, 0, {kLarge}, {5, kLarge + 1}},
                        {Test::kNotEqual, kLarge, 0, {5, kLarge - 1}, {kLarge}},
                        {Test::kLess, kLarge, 0, {5, kLarge - 1}, {kLarge, kLarge + 1}},
                        {Test::kLessOrEqual, kLarge, 0, {kLarge, 0}, {kLarge + 1, 0x2'0000'0000}},
                        {Test::kGreater, kLarge, 0, {kLarge + 1, 0x2'0000'0000}, {kLarge, 5}},
                        {Test::kGreaterOrEqual, kLarge, 0, {kLarge, kLarge + 1}, {kLarge - 1, 5}},
                        {Test::kMaskedEqual, 0xf0, 0x20, {0x20, 0x12f, kLarge | 0x20}, {0x30, 0}}};
  for (const Case& each : cases) {
    const SeccompFilter filter =
        compiled(with_rule({{"ioctl"}, {Kind::kAllow}, {{1, each.test, each.value, each.second}}}));
    for (uint64_t value : each.holding)
      CHECK(filter.decide(call(SYS_ioctl, {0, value})).kind == Kind::kAllow);
    for (uint64_t value : each.failing)
      CHECK(filter.decide(call(SYS_ioctl, {0, value})).kind == Kind::kErrno);
  }
}

TEST_CASE("conditions of several arguments must all hold, those of one argument any") {
  const SeccompFilter both =
      compiled(with_rule({{"socket"}, {Kind::kAllow}, {{0, Test::kEqual, 1, 0}, {1, Test::kEqual, 2, 0}}}));
  CHECK(both.decide(call(SYS_socket, {1, 2})).kind == Kind::kAllow);
  CHECK(both.decide(call(SYS_socket, {1, 3})).kind == Kind::kErrno);
  const SeccompFilter any =
      compiled(with_rule({{"socket"}, {Kind::kAllow}, {{0, Test::kEqual, 1, 0}, {0, Test::kEqual, 2, 0}}}));
  CHECK(any.decide(call(SYS_socket, {1})).kind == Kind::kAllow);
  CHECK(any.decide(call(SYS_socket, {2})).kind == Kind::kAllow);
  CHECK(any.decide(call(SYS_socket, {3})).kind == Kind::kErrno);
}

TEST_CASE("the kernel enforces, or asks where somebody wants to hear") {
  SeccompProfile profile{.default_action = {Kind::kAllow}};
  profile.rules.push_back({{"mkdir", "munmap"}, {Kind::kErrno, EACCES}, {}});
  profile.rules.push_back({{"rmdir"}, {Kind::kKillProcess}, {}});
  profile.rules.push_back({{"sync"}, {Kind::kLog}, {}});
  const SeccompFilter filter = compiled(profile);
  constexpr uint32_t kAsk = SECCOMP_RET_TRACE | SeccompFilter::kProfileCall;
  for (EngineKind engine : {EngineKind::kNotify, EngineKind::kPtrace}) {
    const auto silent = [&](uint32_t number) {
      return verdict(filter, engine, Reports::kSilent, call(number));
    };
    const auto told = [&](uint32_t number) {
      return verdict(filter, engine, Reports::kReported, call(number));
    };
    CHECK(silent(SYS_mkdir) == (SECCOMP_RET_ERRNO | EACCES));
    CHECK(told(SYS_mkdir) == kAsk);
    CHECK(silent(SYS_sync) == SECCOMP_RET_LOG);
    CHECK(told(SYS_sync) == kAsk);
    CHECK(silent(SYS_rmdir) == SECCOMP_RET_KILL_PROCESS);
    CHECK(told(SYS_rmdir) == SECCOMP_RET_KILL_PROCESS);
    // The loader's as well.
    CHECK(silent(SYS_munmap) == kAsk);
    CHECK(silent(SYS_read) == SECCOMP_RET_ALLOW);
  }
}

TEST_CASE("what the sandbox itself needs passes a profile that refuses everything") {
  const SeccompFilter filter = compiled({.default_action = {Kind::kKillProcess}});
  constexpr uint32_t kAsk = SECCOMP_RET_TRACE | SeccompFilter::kProfileCall;
  const auto ask = [&](EngineKind engine, const SyscallEvent& event) {
    return verdict(filter, engine, Reports::kSilent, event);
  };
  const SyscallEvent loader = call(SYS_execve, {1, 2, 3, 4, 5, kLoaderMagic});
  CHECK(ask(EngineKind::kNotify, loader) == SECCOMP_RET_ALLOW);
  CHECK(ask(EngineKind::kNotify, call(SYS_execve)) == SECCOMP_RET_KILL_PROCESS);
  CHECK(ask(EngineKind::kPtrace, call(SYS_recvmsg, {kReservedFd})) == SECCOMP_RET_ALLOW);
  CHECK(ask(EngineKind::kPtrace, call(SYS_recvmsg, {3})) == SECCOMP_RET_KILL_PROCESS);
  CHECK(ask(EngineKind::kNotify, call(SYS_recvmsg, {kReservedFd})) == SECCOMP_RET_KILL_PROCESS);
  for (uint32_t number : {SYS_mmap, SYS_mprotect, SYS_munmap, SYS_brk, SYS_close, SYS_prctl})
    CHECK(ask(EngineKind::kNotify, call(number)) == kAsk);
  CHECK(ask(EngineKind::kNotify, call(SYS_prlimit64, {0, RLIMIT_NOFILE})) == kAsk);
  CHECK(ask(EngineKind::kNotify, call(SYS_prlimit64, {0, RLIMIT_CORE})) == SECCOMP_RET_KILL_PROCESS);
  for (Kind kind : {Kind::kTrap, Kind::kKillThread, Kind::kKillProcess})
    CHECK(ask(EngineKind::kNotify, call(SeccompFilter::number_that_meets({kind}))) ==
          (kind == Kind::kTrap         ? SECCOMP_RET_TRAP
           : kind == Kind::kKillThread ? SECCOMP_RET_KILL_THREAD
                                       : SECCOMP_RET_KILL_PROCESS));
}

TEST_CASE("other architectures die unless they are listed, and then fail by the sandbox's own filter") {
  SeccompProfile profile{.default_action = {Kind::kAllow}};
  constexpr uint32_t kX32Call = 0x40000000;
  const SeccompFilter none = compiled(profile);
  CHECK(verdict(none, EngineKind::kNotify, Reports::kSilent, call(1), AUDIT_ARCH_I386) ==
        SECCOMP_RET_KILL_THREAD);
  CHECK(verdict(none, EngineKind::kNotify, Reports::kSilent, call(kX32Call)) == SECCOMP_RET_KILL_THREAD);
  profile.has_i386 = profile.has_x32 = true;
  const SeccompFilter both = compiled(profile);
  CHECK(verdict(both, EngineKind::kNotify, Reports::kSilent, call(1), AUDIT_ARCH_I386) == SECCOMP_RET_ALLOW);
  CHECK(verdict(both, EngineKind::kNotify, Reports::kSilent, call(kX32Call)) == SECCOMP_RET_ALLOW);
}

}  // namespace sandbox::tests
