// sysinfo(2): the machine, of the size that /proc shows.
#include <sys/sysinfo.h>

#include <algorithm>

#include "sandbox/resource_view.h"
#include "sentry/calls/handlers.h"

namespace sandbox {

SyscallResult sys_sysinfo(Call& call, Out<struct sysinfo> pointer) {
  ResourceView& resources = call.sentry().resources();
  MemorySummary memory = TRY(resources.memory_summary());
  Load load = TRY(resources.load(ResourceView::LoadUse::kOnce));
  struct sysinfo info{};
  // The kernel's boot time with what it rounds up (do_sysinfo).
  info.uptime = static_cast<long>((resources.uptime_ns() + 999'999'999) / 1'000'000'000);
  for (size_t i = 0; i < 3; ++i) info.loads[i] = load.averages[i] << (SI_LOAD_SHIFT - Load::kShift);
  info.totalram = memory.total;
  info.freeram = memory.free;
  info.sharedram = memory.shared;
  info.bufferram = memory.buffers;
  info.totalswap = memory.swap_total;
  info.freeswap = memory.swap_free;
  info.procs = static_cast<unsigned short>(std::min<size_t>(call.sentry().tasks().size(), UINT16_MAX));
  info.mem_unit = 1;
  TRY(call.memory().write(pointer, info));
  return 0;
}

}  // namespace sandbox
