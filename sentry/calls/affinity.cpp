// sched_getaffinity(2) and sched_setaffinity(2): a thread that may run anywhere is told of the CPUs it is
// shown.
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <bit>

#include "sandbox/resource_view.h"
#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// Bits beyond what glibc's fixed cpu_set_t holds: the kernel's NR_CPUS may be 8192.
constexpr size_t kMaximumCpus = 8192;

class CpuMask {
 public:
  CpuMask() = default;
  explicit CpuMask(const std::vector<int>& cpus) {
    for (int cpu : cpus)
      if (cpu >= 0 && static_cast<size_t>(cpu) < kMaximumCpus)
        words_[static_cast<size_t>(cpu) / 64] |= uint64_t{1} << (cpu % 64);
  }
  CpuMask operator&(const CpuMask& other) const {
    CpuMask both;
    for (size_t i = 0; i < words_.size(); ++i) both.words_[i] = words_[i] & other.words_[i];
    return both;
  }
  bool operator==(const CpuMask&) const = default;
  bool is_empty() const {
    return std::ranges::all_of(words_, [](uint64_t word) { return word == 0; });
  }
  std::vector<int> cpus() const {
    std::vector<int> numbers;
    for (size_t i = 0; i < words_.size(); ++i)
      for (uint64_t rest = words_[i]; rest != 0; rest &= rest - 1)
        numbers.push_back(static_cast<int>(i * 64) + std::countr_zero(rest));
    return numbers;
  }
  std::span<std::byte> bytes(size_t length) {
    return std::as_writable_bytes(std::span(words_)).first(length);
  }
  uint64_t* data() { return words_.data(); }

 private:
  std::array<uint64_t, kMaximumCpus / 64> words_{};
};

size_t mask_length(uint64_t size) { return std::min<size_t>(static_cast<uint32_t>(size), kMaximumCpus / 8); }

}  // namespace

SyscallResult sys_sched_getaffinity(Call& call, Pid pid, Size size, OutCpuSet pointer) {
  TaskPtr task = TRY(call.task_called(pid));
  // The kernel checks the buffer's size, which depends on how many CPUs it could have.
  CpuMask real;
  long length =
      TRY(host_result(::syscall(SYS_sched_getaffinity, task->host_tid, mask_length(size), real.data())));
  CpuMask shown(affinity_inside(real.cpus(), call.sentry().resources().cpus()));
  TRY(call.memory().write_bytes(pointer.address, shown.bytes(static_cast<size_t>(length))));
  return length;
}

// A thread that asks for all CPUs it is shown wants to be free: that it runs on the others too is what keeps
// sandboxes with small quotas off each other's CPUs.
SyscallResult sys_sched_setaffinity(Call& call, Pid pid, Size size, CpuSetPtr pointer) {
  ResourceView& resources = call.sentry().resources();
  std::vector<int> allowed = resources.allowed_cpus();
  std::vector<int> cpus = resources.cpus();
  // The kernel reads the mask again; whatever it finds, it stays within the group's CPUs.
  if (cpus.size() == allowed.size()) return Reply::run_natively();
  CpuMask wanted;
  TRY(call.memory().read_bytes(pointer.address, wanted.bytes(mask_length(size))));
  TaskPtr task = TRY(call.task_called(pid));
  CpuMask shown(cpus);
  if ((wanted & shown).is_empty()) return err(EINVAL);
  // Of other processes the kernel judges who may.
  bool is_own = task->process == call.task().process;
  if ((wanted & shown) != shown || !is_own) return Reply::run_natively();
  CpuMask all(allowed);
  return TRY(host_result(::syscall(SYS_sched_setaffinity, task->host_tid, kMaximumCpus / 8, all.data())));
}

}  // namespace sandbox
