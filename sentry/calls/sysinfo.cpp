// sysinfo(2) and sched_getaffinity(2): the machine, of the size that /proc shows.
#include <sched.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cmath>

#include "sandbox/resource_view.h"
#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

uint64_t bytes_of(const std::vector<MemoryLine>& lines, std::string_view name) {
  auto found = std::ranges::find(lines, name, &MemoryLine::name);
  return found == lines.end() ? 0 : found->value * 1024;
}

unsigned long fixed_point(double load) { return std::lround(load * (1 << SI_LOAD_SHIFT)); }

// Bits beyond what glibc's fixed cpu_set_t holds: the kernel's NR_CPUS may be 8192.
constexpr size_t kMaximumCpus = 8192;
using CpuWords = std::array<uint64_t, kMaximumCpus / 64>;

// The task that the caller means by a pid of its own namespace. Errors: ESRCH.
Result<TaskPtr> task_called(Call& call, pid_t inside_tid) {
  if (inside_tid == 0) return call.task_ptr();
  Sentry& sentry = call.sentry();
  for (const TaskPtr& task : sentry.tasks().all())
    if (task->inside_ids(sentry.host_proc()).tid == inside_tid) return task;
  return err(ESRCH);
}

}  // namespace

SyscallResult sys_sysinfo(Call& call, Out<struct sysinfo> pointer) {
  ResourceView& resources = call.sentry().resources();
  auto memory = TRY(resources.memory());
  Load load = TRY(resources.load());
  struct sysinfo info{};
  // The kernel's boot time with what it rounds up (do_sysinfo).
  uint64_t uptime_ns = TRY(resources.uptime()).uptime_ns;
  info.uptime = static_cast<long>((uptime_ns + 999'999'999) / 1'000'000'000);
  for (size_t i = 0; i < 3; ++i) info.loads[i] = fixed_point(load.averages[i]);
  info.totalram = bytes_of(memory, "MemTotal");
  info.freeram = bytes_of(memory, "MemFree");
  info.sharedram = bytes_of(memory, "Shmem");
  info.bufferram = bytes_of(memory, "Buffers");
  info.totalswap = bytes_of(memory, "SwapTotal");
  info.freeswap = bytes_of(memory, "SwapFree");
  info.procs = static_cast<unsigned short>(std::min<size_t>(call.sentry().tasks().all().size(), UINT16_MAX));
  info.mem_unit = 1;
  TRY(call.memory().write(pointer, info));
  return 0;
}

SyscallResult sys_sched_getaffinity(Call& call, Pid pid, Size size, OutCpuSet pointer) {
  TaskPtr task = TRY(task_called(call, pid));
  // The kernel checks the buffer's size, which depends on how many CPUs it could have.
  CpuWords words{};
  size_t length = std::min<size_t>(static_cast<uint32_t>(size), sizeof words);
  long count = TRY(host_result(::syscall(SYS_sched_getaffinity, task->host_tid, length, words.data())));
  CpuWords shown{};
  for (int cpu : call.sentry().resources().cpus()) {
    if (cpu < 0 || static_cast<size_t>(cpu) >= kMaximumCpus) continue;
    shown[cpu / 64] |= words[cpu / 64] & (uint64_t{1} << (cpu % 64));
  }
  TRY(call.memory().write_bytes(pointer.address, std::as_bytes(std::span(shown)).first(count)));
  return count;
}

}  // namespace sandbox
