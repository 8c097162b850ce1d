// The bounds of each limit.
#include "sentry/cgroup/limit_check.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "platform/host_file.h"
#include "sandbox/numbers.h"
#include "vfs/sysfs/cpu_list.h"

namespace sandbox::cgroup {

namespace {

std::unexpected<RunFailure> refuse(LimitKind kind, std::string reason, std::string advice) {
  return failure(fmt::format("use the value of {}", option_name(kind)), std::move(reason), std::move(advice));
}

Configured<void> check_memory(const Limits& limits, const Machine& machine) {
  if (!limits.memory_bytes) {
    if (limits.memory_and_swap_bytes)
      return refuse(LimitKind::kMemorySwap, "it is the sum of memory and swap, and --memory is not given",
                    "--memory SIZE --memory-swap SIZE");
    return {};
  }
  const uint64_t memory = *limits.memory_bytes;
  if (memory < kSmallestMemory)
    return refuse(LimitKind::kMemory, "no program starts in so little", "--memory 2m, or more");
  if (memory != kUnlimited && memory > machine.memory_bytes)
    return refuse(LimitKind::kMemory, fmt::format("the host has {} MiB only", machine.memory_bytes >> 20),
                  fmt::format("--memory {}m, or less", machine.memory_bytes >> 20));
  if (!limits.memory_and_swap_bytes) return {};
  const uint64_t total = *limits.memory_and_swap_bytes;
  if (total < memory)
    return refuse(LimitKind::kMemorySwap, "it is the sum of memory and swap, and smaller than --memory",
                  "the value of --memory for no swap, a larger one, or max");
  return {};
}

Configured<void> check_cpu(const Limits& limits, const Machine& machine) {
  if (limits.cpu && limits.cpu->quota_us != kUnlimited) {
    if (limits.cpu->quota_us < kSmallestQuota_us)
      return refuse(
          LimitKind::kCpus,
          fmt::format("the kernel grants no less than 1 ms in every {} ms", limits.cpu->period_us / 1000),
          "--cpus 0.01, or more");
    if (limits.cpu->quota_us > machine.cpu_count * limits.cpu->period_us)
      return refuse(LimitKind::kCpus, fmt::format("the host has {} CPUs only", machine.cpu_count),
                    fmt::format("--cpus {}, or less", machine.cpu_count));
  }
  for (int cpu : limits.cpus) {
    if (std::ranges::binary_search(machine.cpus, cpu)) continue;
    return refuse(LimitKind::kCpuset, fmt::format("there is no CPU {} that may be used here", cpu),
                  fmt::format("--cpuset-cpus {}, or a part of it", vfs::format_cpu_list(machine.cpus)));
  }
  constexpr unsigned kLargestWeight = 10000;
  if (limits.cpu_weight && (*limits.cpu_weight < 1 || *limits.cpu_weight > kLargestWeight))
    return refuse(LimitKind::kCpuWeight, "a weight is from 1 to 10000",
                  "--cpu-weight 50 for half of what others get, 200 for twice as much");
  return {};
}

Configured<void> check_others(const Limits& limits, const Machine& machine) {
  if (limits.pids && *limits.pids == 0)
    return refuse(LimitKind::kPids, "the program itself is a task", "--pids-limit 2, or more");
  if (limits.pids && *limits.pids != kUnlimited && *limits.pids > machine.largest_pid)
    return refuse(LimitKind::kPids, fmt::format("the host has room for {} tasks only", machine.largest_pid),
                  fmt::format("--pids-limit {}, or less", machine.largest_pid));
  constexpr unsigned kSmallestWeight = 10, kLargestWeight = 1000;
  if (limits.io_weight && (*limits.io_weight < kSmallestWeight || *limits.io_weight > kLargestWeight))
    return refuse(LimitKind::kIoWeight, "a weight is from 10 to 1000",
                  "--blkio-weight 50 for half of what others get, 200 for twice as much");
  return {};
}

}  // namespace

Machine Machine::of_caller() {
  Machine machine;
  struct sysinfo info{};
  if (::sysinfo(&info) == 0) {
    machine.memory_bytes = static_cast<uint64_t>(info.totalram) * info.mem_unit;
    machine.swap_bytes = static_cast<uint64_t>(info.totalswap) * info.mem_unit;
  }
  machine.cpu_count = static_cast<uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) machine.cpus.push_back(cpu);
  constexpr uint64_t kDefaultLargestPid = 32768;
  auto text = platform::read_host_file("/proc/sys/kernel/pid_max");
  machine.largest_pid =
      leading_number<decltype(machine.largest_pid)>(text ? *text : "").value_or(kDefaultLargestPid);
  return machine;
}

Configured<void> check_limits(const Limits& limits, const Machine& machine) {
  if (auto done = check_memory(limits, machine); !done) return done;
  if (auto done = check_cpu(limits, machine); !done) return done;
  return check_others(limits, machine);
}

}  // namespace sandbox::cgroup
