// Both engines' filters against the table: every number, other architectures, and registers around every
// rule.
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "platform/bpf_evaluator.h"
#include "platform/filter.h"
#include "platform/loader/loader_abi.h"
#include "sandbox/syscall_table.h"

namespace sandbox::tests {
namespace {

using platform::EngineKind;
using platform::kReservedFd;
using platform::bpf::evaluate;
using platform::bpf::Evaluation;
using Registers = std::array<uint64_t, 6>;

constexpr uint32_t kNoSuchCall = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t kX32Bit = 0x40000000;

Evaluation ask(EngineKind kind, uint32_t number, const Registers& registers,
               uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = arch;
  std::ranges::copy(registers, data.args);
  return evaluate(platform::filter_for(kind), data);
}

uint32_t emulation(EngineKind kind) {
  return kind == EngineKind::kNotify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRACE;
}

uint32_t expected_from_table(EngineKind kind, const SyscallRow& row, const Registers& registers) {
  const Action action = row.decide(registers);
  switch (action.kind) {
    case Action::Kind::kPass:
    case Action::Kind::kPassIds:
      return SECCOMP_RET_ALLOW;
    case Action::Kind::kEmulate:
      return emulation(kind);
    case Action::Kind::kExec:
      return SECCOMP_RET_TRACE;
    case Action::Kind::kDeny:
      return SECCOMP_RET_ERRNO | action.errno_value;
  }
  return 0;
}

// What the ptrace engine's filter says about its own descriptor; 0 when the call does not touch it.
uint32_t expected_for_reserved(const SyscallRow& row, const Registers& registers) {
  auto arguments = row.arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kind != ArgumentKind::kDescriptor || static_cast<int>(registers[i]) != kReservedFd)
      continue;
    return row.number == SYS_recvmsg ? SECCOMP_RET_TRACE : SECCOMP_RET_ERRNO | EBADF;
  }
  if (row.number != SYS_close_range || row.decide(registers).kind != Action::Kind::kPass) return 0;
  const bool covers = static_cast<uint32_t>(registers[0]) <= kReservedFd &&
                      static_cast<uint32_t>(registers[1]) >= kReservedFd;
  return covers ? SECCOMP_RET_TRACE : 0;
}

// For one argument: values on both sides of everything its rules compare with, with and without rubbish above
// the bits that count.
std::set<uint64_t> interesting_values(const SyscallRow& row, size_t argument) {
  std::set<uint64_t> values{0, 1, UINT32_MAX, kReservedFd, kReservedFd - 1, kReservedFd + 1};
  for (const Rule& rule : row.rules) {
    for (size_t i = 0; i < rule.condition.count; ++i) {
      const Comparison& comparison = rule.condition.comparisons[i];
      if (comparison.index != argument) continue;
      for (size_t j = 0; j < comparison.value_count; ++j) {
        for (uint64_t value : {comparison.values[j] - 1, comparison.values[j], comparison.values[j] + 1}) {
          values.insert(value);
          values.insert(value | (~comparison.mask & 0xffffffff));
        }
      }
      for (unsigned bit = 0; bit < 64 && comparison.test == Comparison::Test::kAnyBit; ++bit) {
        values.insert(uint64_t{1} << bit);
        values.insert(~(uint64_t{1} << bit));
      }
    }
  }
  std::set<uint64_t> all = values;
  for (uint64_t value : values) {
    all.insert(value | uint64_t{1} << 32);
    all.insert(value | uint64_t{1} << 63);
    all.insert(value ^ uint64_t{0xffffffff00000000});
  }
  return all;
}

// Every combination of interesting values of the arguments that matter to this row.
template <typename Check>
void for_each_combination(const SyscallRow& row, Check check) {
  std::set<size_t> places;
  for (const Rule& rule : row.rules)
    for (size_t i = 0; i < rule.condition.count; ++i) places.insert(rule.condition.comparisons[i].index);
  for (size_t i = 0; i < row.arguments().size(); ++i)
    if (row.rules.empty() && row.arguments()[i].kind == ArgumentKind::kDescriptor) places.insert(i);
  if (row.number == SYS_close_range) places.insert({0, 1});
  if (places.empty()) places.insert(0);
  std::vector<Registers> combinations{Registers{}};
  for (size_t place : places) {
    std::vector<Registers> longer;
    for (const Registers& registers : combinations) {
      for (uint64_t value : interesting_values(row, place)) {
        longer.push_back(registers);
        longer.back()[place] = value;
      }
    }
    combinations = std::move(longer);
  }
  for (const Registers& registers : combinations) check(registers);
}

void check_row(EngineKind kind, const SyscallRow& row) {
  size_t mismatches = 0;
  for_each_combination(row, [&](const Registers& registers) {
    uint32_t expected = kind == EngineKind::kPtrace ? expected_for_reserved(row, registers) : 0;
    if (expected == 0) expected = expected_from_table(kind, row, registers);
    const uint32_t found = ask(kind, row.number, registers).verdict;
    if (found == expected) return;
    if (mismatches++ > 0) return;
    CAPTURE(row.name, registers[0], registers[1], registers[2], registers[3], registers[4]);
    CHECK(found == expected);
  });
  CAPTURE(row.name);
  CHECK(mismatches == 0);
}

// Installs a filter in a child and returns what `probe` left as its exit status.
template <typename Probe>
int with_filter_installed(EngineKind kind, Probe probe) {
  const pid_t child = fork();
  if (child == 0) {
    auto filter = platform::filter_for(kind);
    sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) syscall(SYS_exit_group, 99);
    syscall(SYS_exit_group, probe());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

long call_by_int80(long number) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

}  // namespace

TEST_CASE("each number gets what its row says, whatever the registers") {
  const EngineKind kind = GENERATE(EngineKind::kNotify, EngineKind::kPtrace);
  for (uint32_t number = 0; number <= 1024; ++number) {
    if (const SyscallRow* row = find_syscall(number)) {
      check_row(kind, *row);
    } else {
      CAPTURE(number);
      CHECK(ask(kind, number, {}).verdict == kNoSuchCall);
    }
  }
}

TEST_CASE("an exec with the loader's word is the loader's call") {
  const EngineKind kind = GENERATE(EngineKind::kNotify, EngineKind::kPtrace);
  for (uint32_t number : {uint32_t{SYS_execve}, uint32_t{SYS_execveat}}) {
    CHECK(ask(kind, number, {0, 0, 0, 0, 0, platform::kLoaderMagic}).verdict == emulation(kind));
    for (int bit = 0; bit < 64; ++bit) {
      const uint64_t other = platform::kLoaderMagic ^ uint64_t { 1 } << bit;
      CHECK(ask(kind, number, {0, 0, 0, 0, 0, other}).verdict == SECCOMP_RET_TRACE);
    }
  }
}

TEST_CASE("numbers that nobody knows fail with ENOSYS") {
  const EngineKind kind = GENERATE(EngineKind::kNotify, EngineKind::kPtrace);
  for (uint32_t number : {4242u, 0x3fffffffu, 0x7fffffffu, 0x80000000u, UINT32_MAX - 1, UINT32_MAX}) {
    CAPTURE(number);
    CHECK(ask(kind, number, {}).verdict == kNoSuchCall);
  }
}

TEST_CASE("x32 and other architectures reach nothing") {
  const EngineKind kind = GENERATE(EngineKind::kNotify, EngineKind::kPtrace);
  for (uint32_t number = 0; number <= 1024; ++number) {
    CAPTURE(number);
    REQUIRE(ask(kind, number | kX32Bit, {}).verdict == kNoSuchCall);
    for (uint32_t arch : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}, 0u,
                          uint32_t{AUDIT_ARCH_X86_64} ^ __AUDIT_ARCH_LE})
      REQUIRE(ask(kind, number, {}, arch).verdict == kNoSuchCall);
  }
}

TEST_CASE("calls that always pass need no register, so the kernel caches the verdict") {
  for (const SyscallRow& row : syscall_rows()) {
    if (row.default_action.kind != Action::Kind::kPass || !row.rules.empty()) continue;
    CAPTURE(row.name);
    CHECK_FALSE(ask(EngineKind::kNotify, row.number, {}).looked_at_arguments);
  }
}

TEST_CASE("no call costs the filter many steps") {
  for (const SyscallRow& row : syscall_rows()) {
    CAPTURE(row.name);
    CHECK(ask(EngineKind::kNotify, row.number, {~0ull, ~0ull, ~0ull}).instructions < 64);
  }
}

TEST_CASE("the kernel takes the filters, and they hold against int 0x80 and x32") {
  const EngineKind kind = GENERATE(EngineKind::kNotify, EngineKind::kPtrace);
  CHECK(with_filter_installed(kind, [] { return syscall(SYS_getpid) > 0 ? 7 : 1; }) == 7);
  CHECK(with_filter_installed(
            kind, [] { return syscall(SYS_clone3, nullptr, 0) < 0 && errno == ENOSYS ? 7 : 1; }) == 7);
  CHECK(with_filter_installed(
            kind, [] { return syscall(kX32Bit | SYS_getpid) < 0 && errno == ENOSYS ? 7 : 1; }) == 7);
  // A kernel without IA-32 emulation answers with SIGSEGV.
  const int status = with_filter_installed(kind, [] { return call_by_int80(20) == -ENOSYS ? 7 : 1; });
  CHECK((status == 7 || status == -SIGSEGV));
}

TEST_CASE("libseccomp knows the same numbers by the same names") {
  for (const SyscallRow& row : syscall_rows()) {
    const std::string name(row.name);
    const int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
    if (number == __NR_SCMP_ERROR || number < 0) continue;  // newer than the library
    CAPTURE(name);
    CHECK(static_cast<uint32_t>(number) == row.number);
  }
}

}  // namespace sandbox::tests
