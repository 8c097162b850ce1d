// SandboxResources: the machine that the workload sees: the host, cut down to the groups that hold it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "sandbox/resource_view.h"
#include "sentry/cgroup/usage.h"
#include "sentry/resources/cpu_history.h"
#include "sentry/resources/group_memory.h"
#include "sentry/resources/load_average.h"
#include "sentry/resources/task_sampler.h"

namespace sandbox {

class Sentry;

// Where no group limits memory, the host's own numbers are the truth; likewise for what no group counts.
// Times and events count from when the sandbox started.
class SandboxResources final : public ResourceView {
 public:
  // `host_proc` is an open directory of the host's /proc that outlives this; `host_sys` one of its /sys.
  // `boot_time_offset_ns`: uptime is CLOCK_BOOTTIME and this; nothing: it counts from the sandbox's start.
  SandboxResources(int host_proc, UniqueFd host_sys, const cgroup::CgroupDirectories& groups,
                   const cgroup::Limits& unenforced = {},
                   std::optional<int64_t> boot_time_offset_ns = std::nullopt);
  ~SandboxResources() override;
  // Until it is given there are no tasks. It must not end before forget_sentry() has returned.
  void set_sentry(Sentry& sentry);
  void forget_sentry();

  std::vector<int> cpus() override { return current_cpus().shown; }
  std::vector<int> allowed_cpus() override { return current_cpus().allowed; }
  std::vector<int> possible_cpus() override { return host_->possible_cpus(); }
  Result<std::vector<std::string>> cpu_descriptions() override;
  Result<std::string> cpu_attribute(int cpu, std::string_view path) override;
  Result<MemoryLines> memory() override;
  Result<MemorySummary> memory_summary() override;
  Result<Activity> activity() override;
  Result<Load> load(LoadUse use) override;
  uint64_t uptime_ns() override;
  Result<Uptime> uptime() override;
  Result<uint64_t> running_tasks() override;
  Result<std::string> vmstat() override;
  Result<std::string> diskstats() override;
  Result<std::string> partitions() override { return host_->partitions(); }
  Result<std::string> pressure(std::string_view name) override;
  Result<UniqueFd> open_pressure(std::string_view name, int flags) override {
    return usage_.open_pressure(name, flags);
  }

 private:
  struct Cpus {
    std::vector<int> allowed, shown;
    std::optional<cgroup::CpuQuota> quota;
  };
  Cpus current_cpus();
  // The host's side of memory, at most a second old.
  Result<std::shared_ptr<const HostMemory>> host_memory();
  // Nothing where no limit is smaller than the host, whose own numbers are then the truth.
  std::optional<cgroup::UsageReader::MemoryDetails> limited_memory(const HostMemory& host);
  Result<cgroup::IoUse> io_of_all_disks();
  // With lock_.
  Result<void> look_at_cpus(const Cpus& cpus);
  // Of the host's CPUs that are shown, since the sandbox started: where no group counts CPU time.
  Result<std::vector<CpuTimes>> host_times(const std::vector<int>& shown);
  TaskSample sample_tasks();
  void advance_load();
  void watch_load();

  const int host_proc_;
  const std::unique_ptr<ResourceView> host_;
  cgroup::UsageReader usage_;
  const uint64_t start_ns_;         // CLOCK_BOOTTIME
  const int64_t uptime_offset_ns_;  // to CLOCK_BOOTTIME

  std::mutex host_memory_lock_;
  std::shared_ptr<const HostMemory> host_memory_;  // host_memory_lock_
  uint64_t host_memory_time_ns_ = 0;               // host_memory_lock_; CLOCK_BOOTTIME

  // The lines that were made last, and of what: most programs ask again before anything has changed.
  std::mutex lines_lock_;
  MemoryLines lines_;                             // lines_lock_
  std::shared_ptr<const HostMemory> lines_host_;  // lines_lock_
  cgroup::MemoryUse lines_use_;                   // lines_lock_
  uint64_t lines_statistics_number_ = 0;          // lines_lock_

  std::vector<CpuTimes> host_start_;  // by the host's order; only where no group counts CPU time

  // The task table's locks are taken under this one.
  std::mutex lock_;
  Sentry* sentry_ = nullptr;       // lock_
  CpuHistory history_;             // lock_
  TaskSampler sampler_;            // lock_
  LoadAverage load_;               // lock_
  uint64_t load_active_ns_ = 0;    // lock_; how long tasks had been active at the last interval's end
  uint64_t load_cpu_ns_ = 0;       // lock_; CPU time of all until then
  uint64_t watched_until_ns_ = 0;  // lock_; CLOCK_BOOTTIME
  bool is_watching_ = false;       // lock_
  bool is_ending_ = false;         // lock_
  std::condition_variable wake_watcher_;
  std::thread watcher_;  // lock_; samples the load for a while after somebody has read it, and then ends
};

}  // namespace sandbox
