// Computes both engines' filters from the syscall table while compiling: start-up builds nothing.
#include "platform/filter.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/bpf.h"
#include "platform/loader/loader_abi.h"
#include "sandbox/syscall_rows.h"

namespace sandbox::platform {
namespace {

constexpr uint32_t kUnknownCall = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t kBadDescriptor = SECCOMP_RET_ERRNO | EBADF;

constexpr uint32_t emulation(EngineKind kind) {
  return kind == EngineKind::kNotify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRACE;
}

constexpr uint32_t kTraced = SECCOMP_RET_TRACE | kTracedCall;

// For whom a filter is made: the engine, and whether a call is shown to the tracer before it passes or fails.
struct Variant {
  EngineKind kind;
  IdKeeper id_keeper;
  bool is_traced = false;
};

constexpr uint32_t verdict_of(Action action, Variant variant) {
  if (action.kind == Action::Kind::kPassIds)
    action.kind = variant.id_keeper == IdKeeper::kSentry ? Action::Kind::kEmulate : Action::Kind::kPass;
  if (variant.is_traced && (action.kind == Action::Kind::kPass || action.kind == Action::Kind::kDeny)) {
    return kTraced;
  }
  switch (action.kind) {
    case Action::Kind::kPass:
    case Action::Kind::kPassIds:
      return SECCOMP_RET_ALLOW;
    case Action::Kind::kEmulate:
      return emulation(variant.kind);
    case Action::Kind::kExec:
      return SECCOMP_RET_TRACE;
    case Action::Kind::kDeny:
      return SECCOMP_RET_ERRNO | static_cast<uint32_t>(action.errno_value);
  }
  throw "an action without a verdict";
}

constexpr Comparison compare(size_t argument, Comparison::Test test, uint32_t first_value,
                             uint32_t second_value) {
  Comparison comparison;
  comparison.test = test;
  comparison.values = {first_value, second_value};
  comparison.value_count = test == Comparison::Test::kBetween ? 2 : 1;
  comparison.index = static_cast<uint8_t>(argument);
  comparison.is_32_bit = true;
  comparison.mask = UINT32_MAX;
  return comparison;
}

// The ptrace engine's descriptor is not the workload's: calls that name it find it closed, save for what the
// tracer itself makes a thread call.
constexpr bpf::Program guard_reserved_fd(const SyscallRow& row, Variant variant) {
  bpf::Program program;
  const uint32_t refusal = variant.is_traced ? kTraced : kBadDescriptor;
  const uint32_t verdict = row.name == "recvmsg" ? SECCOMP_RET_TRACE : refusal;
  for (size_t i = 0; i < row.signature.argument_count; ++i) {
    if (row.signature.arguments[i].kind != ArgumentKind::kDescriptor) continue;
    bpf::append(program, bpf::when(compare(i, Comparison::Test::kOneOf, kReservedFd, 0), verdict));
  }
  return program;
}

// A close_range that the table lets pass goes around that descriptor, with the tracer's help.
constexpr bpf::Program guard_reserved_range() {
  Condition covers(compare(0, Comparison::Test::kBetween, 0, kReservedFd));
  covers.comparisons[covers.count++] = compare(1, Comparison::Test::kBetween, kReservedFd, UINT32_MAX);
  return bpf::when(covers, SECCOMP_RET_TRACE);
}

// The loader's call, which the kernel must not take for an exec.
constexpr bpf::Program loader_call(EngineKind kind) {
  Comparison is_loader;
  is_loader.test = Comparison::Test::kOneOf;
  is_loader.values = {kLoaderMagic};
  is_loader.value_count = 1;
  is_loader.index = 5;
  is_loader.mask = ~uint64_t{0};
  return bpf::when(is_loader, emulation(kind));
}

// The call by which a tracing tracer knows that the program itself runs from now on.
constexpr bpf::Program watch_loaders_end() {
  Comparison is_scratch;
  is_scratch.test = Comparison::Test::kOneOf;
  is_scratch.values = {kScratchSize};
  is_scratch.value_count = 1;
  is_scratch.index = 1;
  return bpf::when(is_scratch, kTraced);
}

constexpr bpf::Program program_of(const SyscallRow& row, Variant variant) {
  bpf::Program program;
  const bool is_ptrace = variant.kind == EngineKind::kPtrace;
  if (is_ptrace) bpf::append(program, guard_reserved_fd(row, variant));
  if (row.default_action.kind == Action::Kind::kExec) bpf::append(program, loader_call(variant.kind));
  for (const Rule& rule : row.rules)
    bpf::append(program, bpf::when(rule.condition, verdict_of(rule.action, variant)));
  if (is_ptrace && row.name == "close_range") bpf::append(program, guard_reserved_range());
  program.push_back(bpf::statement(BPF_RET | BPF_K, verdict_of(row.default_action, variant)));
  return program;
}

constexpr bool is_same(const bpf::Program& left, const bpf::Program& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& a, const auto& b) {
    return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
  });
}

// Neighbours with the same program share a segment.
// `traced` is null when nothing is: then this is a constant expression.
constexpr std::vector<bpf::Segment> segments_of(EngineKind kind, IdKeeper id_keeper, const CallSet* traced) {
  auto is_traced = [&](uint32_t number) { return traced != nullptr && traced->contains(number); };
  const bool is_unknown_traced = is_traced(CallSet::kLimit);
  const bpf::Program unknown{bpf::statement(BPF_RET | BPF_K, is_unknown_traced ? kTraced : kUnknownCall)};
  std::vector<bpf::Segment> segments;
  uint32_t next = 0;
  auto add = [&](uint32_t first, const bpf::Program& program) {
    if (segments.empty() || !is_same(segments.back().program, program)) segments.push_back({first, program});
  };
  for (const SyscallRow& row : kSyscallRows) {
    if (row.number != next) add(next, unknown);
    bpf::Program program = program_of(row, {kind, id_keeper, is_traced(row.number)});
    if (traced != nullptr && row.name == "munmap") {
      bpf::Program longer = watch_loaders_end();
      bpf::append(longer, program);
      program = longer;
    }
    add(row.number, program);
    next = row.number + 1;
  }
  add(next, unknown);
  // Numbers with the x32 bit lie above it as well.
  return segments;
}

constexpr bpf::Program build(EngineKind kind, IdKeeper id_keeper, const CallSet* traced) {
  // Another architecture's numbers (int 0x80) mean other calls: all of them are unknown, so that none of the
  // kernel's own table is ever reached and a program that tries one sees a plain error.
  bpf::Program program{
      bpf::load(offsetof(seccomp_data, arch)),
      bpf::jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
      bpf::statement(BPF_RET | BPF_K, kUnknownCall),
      bpf::load(offsetof(seccomp_data, nr)),
  };
  bpf::append(program, bpf::search(segments_of(kind, id_keeper, traced)));
  if (program.size() > BPF_MAXINSNS) throw "the filter is longer than the kernel accepts";
  return program;
}

template <EngineKind kind, IdKeeper id_keeper>
constexpr auto kFilter = [] {
  std::array<sock_filter, build(kind, id_keeper, nullptr).size()> filter{};
  std::ranges::copy(build(kind, id_keeper, nullptr), filter.begin());
  return filter;
}();

}  // namespace

std::span<const sock_filter> filter_for(EngineKind kind, IdKeeper id_keeper) {
  const bool is_ptrace = kind == EngineKind::kPtrace;
  if (id_keeper == IdKeeper::kSentry) {
    if (is_ptrace) return kFilter<EngineKind::kPtrace, IdKeeper::kSentry>;
    return kFilter<EngineKind::kNotify, IdKeeper::kSentry>;
  }
  if (is_ptrace) return kFilter<EngineKind::kPtrace, IdKeeper::kKernel>;
  return kFilter<EngineKind::kNotify, IdKeeper::kKernel>;
}

std::vector<sock_filter> tracing_filter_for(EngineKind kind, IdKeeper id_keeper, const CallSet& traced) {
  return build(kind, id_keeper, &traced);
}

Action decide_call(EngineKind kind, uint32_t number, const std::array<uint64_t, 6>& registers) {
  const SyscallRow* row = kind == EngineKind::kPtrace ? find_syscall(number) : nullptr;
  if (row != nullptr) {
    const auto arguments = row->arguments();
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i].kind == ArgumentKind::kDescriptor &&
          static_cast<uint32_t>(registers[i]) == kReservedFd) {
        return {Action::Kind::kDeny, EBADF};
      }
    }
  }
  const Action action = decide_syscall(number, registers);
  return action.kind == Action::Kind::kPassIds ? Action{Action::Kind::kPass} : action;
}

}  // namespace sandbox::platform
