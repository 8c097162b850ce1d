// ResourceView: how much machine the workload sees; /proc, /sys, sysinfo(2) and sched_getaffinity(2) all ask
// here.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox {

// One line of /proc/meminfo.
struct MemoryLine {
  std::string_view name;  // "MemTotal"; valid as long as the view
  uint64_t value = 0;
  enum class Unit { kKibibytes, kCount } unit = Unit::kKibibytes;
};

// The lines of /proc/meminfo in its order, without memory of their own.
class MemoryLines {
 public:
  // Linux 6.18 has 57. What is too much is left out.
  static constexpr size_t kMaximum = 96;
  void push_back(const MemoryLine& line) {
    if (count_ < kMaximum) lines_[count_++] = line;
  }
  const MemoryLine* begin() const { return lines_.data(); }
  const MemoryLine* end() const { return lines_.data() + count_; }
  // 0 for a name that is not there.
  uint64_t value_of(std::string_view name) const {
    for (const MemoryLine& line : *this)
      if (line.name == name) return line.value;
    return 0;
  }
  // Lines with the same number are the same, so that what was made of them need not be made again.
  // 0: they were not numbered.
  uint64_t number() const { return number_; }
  void set_number() {
    static std::atomic<uint64_t> last{0};
    number_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

 private:
  std::array<MemoryLine, kMaximum> lines_;
  size_t count_ = 0;
  uint64_t number_ = 0;
};

// What sysinfo(2) tells of memory, in bytes.
struct MemorySummary {
  uint64_t total = 0, free = 0, shared = 0, buffers = 0, swap_total = 0, swap_free = 0;
  bool operator==(const MemorySummary&) const = default;
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

// As the kernel keeps it (fs/proc/loadavg.c, kernel/sched/loadavg.c).
struct Load {
  static constexpr int kShift = 11;    // FSHIFT: bits after the point
  std::array<uint64_t, 3> averages{};  // over 1, 5 and 15 minutes
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
  // Those that the kernel may run the workload on; cpus() is a part of them where a quota is smaller.
  virtual std::vector<int> allowed_cpus() { return cpus(); }
  // Those that it could ever run on (the size of tables by CPU number, which getcpu(2) must stay within).
  virtual std::vector<int> possible_cpus() { return allowed_cpus(); }
  // One block of /proc/cpuinfo for each of cpus(), without the empty line after it.
  virtual Result<std::vector<std::string>> cpu_descriptions() = 0;
  // An attribute below /sys/devices/system/cpu/cpuN ("topology/core_id"), newline included. Errors: ENOENT.
  virtual Result<std::string> cpu_attribute(int cpu, std::string_view path) = 0;
  virtual Result<MemoryLines> memory() = 0;
  // The same numbers, for less.
  virtual Result<MemorySummary> memory_summary() = 0;
  virtual Result<Activity> activity() = 0;
  // kWatched: whoever asks will ask again; the load is sampled from now on even while nobody does.
  enum class LoadUse { kOnce, kWatched };
  virtual Result<Load> load(LoadUse use) = 0;
  virtual uint64_t uptime_ns() = 0;
  virtual Result<Uptime> uptime() = 0;
  // Tasks that run or could run now; for /proc/loadavg.
  virtual Result<uint64_t> running_tasks() = 0;
  // /proc/vmstat, /proc/diskstats and /proc/partitions as they are to be shown.
  virtual Result<std::string> vmstat() = 0;
  virtual Result<std::string> diskstats() = 0;
  virtual Result<std::string> partitions() = 0;
  // /proc/pressure/NAME for "cpu", "io" or "memory". Errors: ENOENT, EOPNOTSUPP (not measured).
  virtual Result<std::string> pressure(std::string_view name) = 0;
  // The kernel's own file of it, on which triggers can be set and waited for. Errors: ENOENT (there is none
  // that tells of the workload alone), EACCES.
  virtual Result<UniqueFd> open_pressure(std::string_view, int) { return err(ENOENT); }
};

// What a thread whose affinity is `real` is told of, when the workload is shown `shown`. Both ascending.
std::vector<int> affinity_inside(const std::vector<int>& real, const std::vector<int>& shown);

}  // namespace sandbox
