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

constexpr uint32_t verdict_of(const Action& action, EngineKind kind) {
  switch (action.kind) {
    case Action::Kind::kPass:
      return SECCOMP_RET_ALLOW;
    case Action::Kind::kEmulate:
      return emulation(kind);
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
constexpr bpf::Program guard_reserved_fd(const SyscallRow& row) {
  bpf::Program program;
  const uint32_t verdict = row.name == "recvmsg" ? SECCOMP_RET_TRACE : kBadDescriptor;
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

constexpr bpf::Program program_of(const SyscallRow& row, EngineKind kind) {
  bpf::Program program;
  if (kind == EngineKind::kPtrace) bpf::append(program, guard_reserved_fd(row));
  if (row.default_action.kind == Action::Kind::kExec) bpf::append(program, loader_call(kind));
  for (const Rule& rule : row.rules)
    bpf::append(program, bpf::when(rule.condition, verdict_of(rule.action, kind)));
  if (kind == EngineKind::kPtrace && row.name == "close_range") bpf::append(program, guard_reserved_range());
  program.push_back(bpf::statement(BPF_RET | BPF_K, verdict_of(row.default_action, kind)));
  return program;
}

constexpr bool is_same(const bpf::Program& left, const bpf::Program& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& a, const auto& b) {
    return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
  });
}

// Neighbours with the same program share a segment.
constexpr std::vector<bpf::Segment> segments_of(EngineKind kind) {
  const bpf::Program unknown{bpf::statement(BPF_RET | BPF_K, kUnknownCall)};
  std::vector<bpf::Segment> segments;
  uint32_t next = 0;
  auto add = [&](uint32_t first, const bpf::Program& program) {
    if (segments.empty() || !is_same(segments.back().program, program)) segments.push_back({first, program});
  };
  for (const SyscallRow& row : kSyscallRows) {
    if (row.number != next) add(next, unknown);
    add(row.number, program_of(row, kind));
    next = row.number + 1;
  }
  add(next, unknown);
  // Numbers with the x32 bit lie above it as well.
  return segments;
}

constexpr bpf::Program build(EngineKind kind) {
  // Another architecture's numbers (int 0x80) mean other calls: all of them are unknown, so that none of the
  // kernel's own table is ever reached and a program that tries one sees a plain error.
  bpf::Program program{
      bpf::load(offsetof(seccomp_data, arch)),
      bpf::jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
      bpf::statement(BPF_RET | BPF_K, kUnknownCall),
      bpf::load(offsetof(seccomp_data, nr)),
  };
  bpf::append(program, bpf::search(segments_of(kind)));
  if (program.size() > BPF_MAXINSNS) throw "the filter is longer than the kernel accepts";
  return program;
}

template <EngineKind kind>
constexpr auto kFilter = [] {
  std::array<sock_filter, build(kind).size()> filter{};
  std::ranges::copy(build(kind), filter.begin());
  return filter;
}();

}  // namespace

std::span<const sock_filter> filter_for(EngineKind kind) {
  if (kind == EngineKind::kPtrace) return kFilter<EngineKind::kPtrace>;
  return kFilter<EngineKind::kNotify>;
}

}  // namespace sandbox::platform
