// From a profile's rules to BPF: libseccomp joins the rules, as it does for other runtimes.
#include "platform/seccomp_profile.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "platform/bpf.h"
#include "platform/bpf_evaluator.h"
#include "platform/filter.h"
#include "platform/loader/loader_abi.h"
#include "sandbox/check.h"
#include "sandbox/errno.h"
#include "sandbox/syscall_table.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

namespace {

using Kind = ProfileAction::Kind;
using Test = ProfileCondition::Test;

constexpr uint32_t kX32Bit = 0x40000000;
constexpr uint32_t kMeetsTrap = 0x3ecc0001, kMeetsKillThread = 0x3ecc0002, kMeetsKillProcess = 0x3ecc0003;

// What the loader calls in the name of the program (loader.cpp); of prlimit64 only RLIMIT_NOFILE.
constexpr uint32_t kLoaderCalls[] = {SYS_mmap,  SYS_mprotect, SYS_munmap,   SYS_brk,
                                     SYS_close, SYS_prctl,    SYS_prlimit64};

uint32_t libseccomp_action(const ProfileAction& action) {
  switch (action.kind) {
    case Kind::kAllow:
      return SCMP_ACT_ALLOW;
    case Kind::kLog:
      return SCMP_ACT_LOG;
    case Kind::kErrno:
      return SCMP_ACT_ERRNO(action.error);
    case Kind::kTrap:
      return SCMP_ACT_TRAP;
    case Kind::kKillThread:
      return SCMP_ACT_KILL_THREAD;
    case Kind::kKillProcess:
      return SCMP_ACT_KILL_PROCESS;
  }
  return SCMP_ACT_KILL_PROCESS;
}

ProfileAction action_of(uint32_t verdict) {
  switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
      return {Kind::kAllow};
    case SECCOMP_RET_LOG:
      return {Kind::kLog};
    case SECCOMP_RET_ERRNO:
      return {Kind::kErrno, static_cast<uint16_t>(verdict & SECCOMP_RET_DATA)};
    case SECCOMP_RET_TRAP:
      return {Kind::kTrap};
    case SECCOMP_RET_KILL_THREAD:
      return {Kind::kKillThread};
    default:
      return {Kind::kKillProcess};
  }
}

scmp_arg_cmp comparison_of(const ProfileCondition& condition) {
  constexpr scmp_compare kTests[] = {SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE,       SCMP_CMP_EQ,
                                     SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ};
  return {condition.argument, kTests[static_cast<size_t>(condition.test)], condition.value,
          condition.second_value};
}

struct ReleaseContext {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

bool has_two_of_one_argument(const std::vector<ProfileCondition>& conditions) {
  std::array<unsigned, 6> counts{};
  for (const ProfileCondition& condition : conditions)
    if (++counts[condition.argument] > 1) return true;
  return false;
}

// A negated errno, as libseccomp has it.
int add_rule(void* context, const ProfileRule& rule, int number) {
  const uint32_t action = libseccomp_action(rule.action);
  std::vector<scmp_arg_cmp> comparisons;
  for (const ProfileCondition& condition : rule.conditions) comparisons.push_back(comparison_of(condition));
  if (!has_two_of_one_argument(rule.conditions))
    return seccomp_rule_add_array(context, action, number, comparisons.size(), comparisons.data());
  for (const scmp_arg_cmp& comparison : comparisons)
    if (int status = seccomp_rule_add_array(context, action, number, 1, &comparison); status < 0)
      return status;
  return 0;
}

std::vector<sock_filter> exported(void* context) {
  UniqueFd file(::memfd_create("profile", MFD_CLOEXEC));
  if (!file || seccomp_export_bpf(context, file.get()) < 0) return {};
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> program(size > 0 ? static_cast<size_t>(size) / sizeof(sock_filter) : 0);
  const size_t bytes = program.size() * sizeof(sock_filter);
  if (::pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) return {};
  return program;
}

// `verdict` for the number that is loaded.
bpf::Program for_number(uint32_t number, uint32_t verdict) {
  return {bpf::jump(BPF_JEQ, number, 0, 1), bpf::statement(BPF_RET | BPF_K, verdict)};
}

// `verdict` for the number that is loaded when one word of its arguments is `value`.
bpf::Program for_argument(uint32_t number, size_t argument, uint32_t value, uint32_t verdict) {
  return {bpf::jump(BPF_JEQ, number, 0, 4), bpf::load(bpf::low_word(argument)),
          bpf::jump(BPF_JEQ, value, 0, 1), bpf::statement(BPF_RET | BPF_K, verdict),
          bpf::load(offsetof(seccomp_data, nr))};
}

// The loader's call to the sentry, which the sentry's own filter judges.
bpf::Program allow_loader_call(uint32_t number) {
  return {bpf::jump(BPF_JEQ, number, 0, 6),
          bpf::load(bpf::low_word(5)),
          bpf::jump(BPF_JEQ, bpf::low_of(kLoaderMagic), 0, 3),
          bpf::load(bpf::high_word(5)),
          bpf::jump(BPF_JEQ, bpf::high_of(kLoaderMagic), 0, 1),
          bpf::statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
          bpf::load(offsetof(seccomp_data, nr))};
}

}  // namespace

std::expected<SeccompFilter, std::string> SeccompFilter::compile(const SeccompProfile& profile) {
  Context context(seccomp_init(libseccomp_action(profile.default_action)));
  if (!context) return std::unexpected("libseccomp does not know the default action");
  (void)seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
  for (const ProfileRule& rule : profile.rules) {
    // Nothing to say, and libseccomp refuses it.
    if (rule.action == profile.default_action) continue;
    for (const std::string& name : rule.names) {
      const SyscallRow* row = find_syscall(name);
      if (row == nullptr) continue;
      if (int status = add_rule(context.get(), rule, static_cast<int>(row->number)); status < 0)
        return std::unexpected(
            fmt::format("the rule for {} cannot be added: {}", name, Errno(-status).text()));
    }
  }
  SeccompFilter filter;
  filter.has_i386_ = profile.has_i386;
  filter.has_x32_ = profile.has_x32;
  filter.flags_ = profile.flags;
  filter.rules_ = exported(context.get());
  if (filter.rules_.empty()) return std::unexpected("libseccomp cannot make a filter of it");
  for (uint32_t number = 0; number < kNumbers; ++number) {
    const seccomp_data data{static_cast<int>(number), AUDIT_ARCH_X86_64, 0, {}};
    const auto evaluation = bpf::evaluate(filter.rules_, data);
    filter.is_allowed_[number] = evaluation.verdict == SECCOMP_RET_ALLOW && !evaluation.looked_at_arguments;
  }
  for (EngineKind engine : {EngineKind::kNotify, EngineKind::kPtrace})
    if (filter.program(engine, Reports::kReported).size() > BPF_MAXINSNS)
      return std::unexpected("it has more rules than the kernel's filters have room for");
  return filter;
}

ProfileAction SeccompFilter::decide(const SyscallEvent& event) const {
  if (event.number < kNumbers && is_allowed_[event.number]) return {Kind::kAllow};
  seccomp_data data{static_cast<int>(event.number), AUDIT_ARCH_X86_64, event.instruction_pointer, {}};
  std::ranges::copy(event.args, data.args);
  return action_of(bpf::evaluate(rules_, data).verdict);
}

std::vector<sock_filter> SeccompFilter::program(EngineKind engine, Reports reports) const {
  const uint32_t i386 = has_i386_ ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_THREAD;
  const uint32_t x32 = has_x32_ ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_THREAD;
  const uint32_t ask_tracer = SECCOMP_RET_TRACE | kProfileCall;
  bpf::Program program{
      bpf::load(offsetof(seccomp_data, arch)), bpf::jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
      bpf::statement(BPF_RET | BPF_K, i386),   bpf::load(offsetof(seccomp_data, nr)),
      bpf::jump(BPF_JGE, kX32Bit, 0, 1),       bpf::statement(BPF_RET | BPF_K, x32),
  };
  bpf::append(program, for_number(kMeetsTrap, SECCOMP_RET_TRAP));
  bpf::append(program, for_number(kMeetsKillThread, SECCOMP_RET_KILL_THREAD));
  bpf::append(program, for_number(kMeetsKillProcess, SECCOMP_RET_KILL_PROCESS));
  bpf::append(program, allow_loader_call(SYS_execve));
  bpf::append(program, allow_loader_call(SYS_execveat));
  // By which the engine hands out descriptors; the sandbox's own filter keeps everybody else from it.
  if (engine == EngineKind::kPtrace)
    bpf::append(program, for_argument(SYS_recvmsg, 0, kReservedFd, SECCOMP_RET_ALLOW));
  for (uint32_t number : kLoaderCalls) {
    if (is_allowed_[number]) continue;
    bpf::append(program, number == SYS_prlimit64 ? for_argument(number, 1, RLIMIT_NOFILE, ask_tracer)
                                                 : for_number(number, ask_tracer));
  }
  for (sock_filter instruction : rules_) {
    const Kind kind = action_of(instruction.k).kind;
    const bool is_return = instruction.code == (BPF_RET | BPF_K);
    if (is_return && reports == Reports::kReported && (kind == Kind::kErrno || kind == Kind::kLog))
      instruction.k = ask_tracer;
    program.push_back(instruction);
  }
  return program;
}

uint32_t SeccompFilter::number_that_meets(const ProfileAction& action) {
  switch (action.kind) {
    case Kind::kTrap:
      return kMeetsTrap;
    case Kind::kKillThread:
      return kMeetsKillThread;
    default:
      return kMeetsKillProcess;
  }
}

}  // namespace sandbox::platform
