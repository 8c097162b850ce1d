// ResourceView: how much machine the workload sees; /proc, /sys, sysinfo(2) and sched_getaffinity(2) all ask
// here.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/result.h"

namespace sandbox {

// One line of /proc/meminfo.
struct MemoryLine {
  std::string name;  // "MemTotal"
  uint64_t value = 0;
  enum class Unit { kKibibytes, kCount } unit = Unit::kKibibytes;
};

// Clock ticks (USER_HZ) since boot, in the order of a cpu line of /proc/stat.
struct CpuTimes {
  static constexpr size_t kKinds = 10;  // user nice system idle iowait irq softirq steal guest guest_nice
  std::array<uint64_t, kKinds> ticks{};
};

// What /proc/stat tells besides its cpu lines' layout.
struct Activity {
  CpuTimes total;
  std::vector<CpuTimes> per_cpu;  // in the order of ResourceView::cpus()
  uint64_t interrupts = 0;
  uint64_t context_switches = 0;
  uint64_t boot_time_s = 0;  // CLOCK_REALTIME
  uint64_t forks = 0;
  uint64_t running = 0, blocked = 0;
  std::array<uint64_t, 11> softirqs{};  // the total, then each kind
};

struct Load {
  std::array<double, 3> averages{};  // over 1, 5 and 15 minutes
};

struct Uptime {
  uint64_t uptime_ns = 0;
  uint64_t idle_ns = 0;  // summed over the CPUs
};

// Every method is safe to call from any thread and reads live: the next answer may differ.
class ResourceView {
 public:
  virtual ~ResourceView() = default;

  // CPU numbers as the workload sees them, ascending, never empty.
  virtual std::vector<int> cpus() = 0;
  // One block of /proc/cpuinfo for each of cpus(), without the empty line after it.
  virtual Result<std::vector<std::string>> cpu_descriptions() = 0;
  // An attribute below /sys/devices/system/cpu/cpuN ("topology/core_id"), newline included. Errors: ENOENT.
  virtual Result<std::string> cpu_attribute(int cpu, std::string_view path) = 0;
  // The lines of /proc/meminfo in its order.
  virtual Result<std::vector<MemoryLine>> memory() = 0;
  virtual Result<Activity> activity() = 0;
  virtual Result<Load> load() = 0;
  virtual Result<Uptime> uptime() = 0;
  // /proc/vmstat and /proc/diskstats as they are to be shown.
  virtual Result<std::string> vmstat() = 0;
  virtual Result<std::string> diskstats() = 0;
  // /proc/pressure/NAME for "cpu", "io" or "memory". Errors: ENOENT, EOPNOTSUPP (not measured).
  virtual Result<std::string> pressure(std::string_view name) = 0;
};

}  // namespace sandbox
