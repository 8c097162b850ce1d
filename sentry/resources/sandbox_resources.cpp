// Memory, times and tasks of the sandbox.
#include "sentry/resources/sandbox_resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "sandbox/clock.h"
#include "sandbox/numbers.h"
#include "sentry/sentry.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/host_resources.h"
#include "vfs/synthetic/text.h"

namespace sandbox {

namespace {

using cgroup::UsageReader;

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr uint64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100
constexpr uint64_t kHostMemoryLastsNs = kNanosecondsPerSecond;
// How long the load is sampled after somebody has read it: tools that show it read it again sooner.
constexpr uint64_t kWatchNs = 60 * kNanosecondsPerSecond;

constexpr size_t kIdle = 3;  // its place in CpuTimes

CpuTimes in_ticks(const CpuHistory::Counters& counters) {
  CpuTimes times;
  times.ticks[0] = counters.user_ns / kNanosecondsPerTick;
  times.ticks[1] = counters.nice_ns / kNanosecondsPerTick;
  times.ticks[2] = counters.system_ns / kNanosecondsPerTick;
  times.ticks[kIdle] = counters.idle_ns / kNanosecondsPerTick;
  return times;
}

CpuTimes sum_of(const std::vector<CpuTimes>& all) {
  CpuTimes sum;
  for (const CpuTimes& one : all)
    for (size_t kind = 0; kind < CpuTimes::kKinds; ++kind) sum.ticks[kind] += one.ticks[kind];
  return sum;
}

// The ticks that each CPU of the host was busy, by its number.
std::vector<uint64_t> busy_ticks(ResourceView& host) {
  std::vector<uint64_t> busy;
  auto activity = host.activity();
  if (!activity) return busy;
  std::vector<int> numbers = host.cpus();
  for (size_t i = 0; i < std::min(numbers.size(), activity->per_cpu.size()); ++i) {
    const auto& ticks = activity->per_cpu[i].ticks;
    busy.resize(static_cast<size_t>(numbers[i]) + 1);
    busy.back() = ticks[0] + ticks[1] + ticks[2];
  }
  return busy;
}

}  // namespace

SandboxResources::SandboxResources(int host_proc, UniqueFd host_sys, const cgroup::CgroupDirectories& groups,
                                   const cgroup::Limits& unenforced,
                                   std::optional<int64_t> boot_time_offset_ns)
    : host_proc_(host_proc),
      host_(vfs::create_host_resources(host_proc, std::move(host_sys))),
      usage_(groups, unenforced),
      start_ns_(clock_ns(CLOCK_BOOTTIME)),
      uptime_offset_ns_(boot_time_offset_ns.value_or(-static_cast<int64_t>(start_ns_))),
      sampler_(host_proc),
      load_(start_ns_) {
  std::lock_guard guard(lock_);
  if (usage_.has_cpu()) {
    (void)look_at_cpus(current_cpus());
  } else if (auto host = host_->activity()) {
    host_start_ = std::move(host->per_cpu);
  }
}

SandboxResources::~SandboxResources() { forget_sentry(); }

void SandboxResources::set_sentry(Sentry& sentry) {
  std::lock_guard guard(lock_);
  sentry_ = &sentry;
}

void SandboxResources::forget_sentry() {
  std::unique_lock guard(lock_);
  sentry_ = nullptr;
  is_ending_ = true;
  wake_watcher_.notify_all();
  std::thread watcher = std::move(watcher_);
  guard.unlock();
  if (watcher.joinable()) watcher.join();
}

// ---- memory ----

Result<std::shared_ptr<const HostMemory>> SandboxResources::host_memory() {
  std::lock_guard guard(host_memory_lock_);
  uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  if (host_memory_ && now_ns - host_memory_time_ns_ < kHostMemoryLastsNs) return host_memory_;
  auto host = std::make_shared<HostMemory>();
  MemoryLines lines = TRY(host_->memory());
  host->set_lines(lines);
  host->total = lines.value_of("MemTotal") * 1024;
  host->swap_total = lines.value_of("SwapTotal") * 1024;
  if (auto text = vfs::read_host_file(host_proc_, "sys/vm/overcommit_ratio")) {
    std::string_view word = *text;
    host->overcommit_percent = parse_number<uint64_t>(word.substr(0, word.find('\n'))).value_or(50);
  }
  host_memory_time_ns_ = now_ns;
  host_memory_ = host;
  return host_memory_;
}

std::optional<UsageReader::MemoryDetails> SandboxResources::limited_memory(const HostMemory& host) {
  UsageReader::Swap swap = host.swap_total == 0 ? UsageReader::Swap::kSkip : UsageReader::Swap::kRead;
  cgroup::MemoryLimits limits = usage_.memory_limits(swap);
  if (limits.memory >= host.total && limits.swap >= host.swap_total) return std::nullopt;
  // Of a group that cannot be read any more the limits are still known.
  UsageReader::MemoryDetails unread{.use = {.limit = limits.memory, .swap_limit = limits.swap}};
  return usage_.memory_details(limits, swap).value_or(unread);
}

Result<MemoryLines> SandboxResources::memory() {
  if (!usage_.has_memory()) return host_->memory();
  auto host = TRY(host_memory());
  auto details = limited_memory(*host);
  if (!details) return host_->memory();
  std::lock_guard guard(lines_lock_);
  bool are_same = lines_host_ == host && lines_use_ == details->use &&
                  lines_statistics_number_ == details->statistics_number;
  if (!are_same) {
    lines_ = GroupMemory(details->use, *host).lines(*host, details->statistics);
    lines_.set_number();
    lines_host_ = host;
    lines_use_ = details->use;
    lines_statistics_number_ = details->statistics_number;
  }
  return lines_;
}

Result<MemorySummary> SandboxResources::memory_summary() {
  if (!usage_.has_memory()) return host_->memory_summary();
  auto host = TRY(host_memory());
  auto details = limited_memory(*host);
  if (!details) return host_->memory_summary();
  return GroupMemory(details->use, *host).summary(details->statistics);
}

Result<std::string> SandboxResources::vmstat() {
  if (!usage_.has_memory()) return host_->vmstat();
  auto host = TRY(host_memory());
  auto details = limited_memory(*host);
  if (!details) return host_->vmstat();
  GroupMemory memory(details->use, *host);
  cgroup::IoUse io = io_of_all_disks().value_or(cgroup::IoUse{});
  std::string host_text = TRY(host_->vmstat());
  std::string text;
  vfs::for_each_line(host_text, [&](std::string_view line) {
    std::string_view name = vfs::take_word(&line);
    fmt::format_to(std::back_inserter(text), "{} {}\n", name,
                   vmstat_value(name, memory, details->statistics, io));
  });
  return text;
}

// ---- time ----

uint64_t SandboxResources::uptime_ns() {
  return clock_ns(CLOCK_BOOTTIME) + static_cast<uint64_t>(uptime_offset_ns_);
}

Result<void> SandboxResources::look_at_cpus(const Cpus& cpus) {
  CpuHistory::Look look{.now_ns = clock_ns(CLOCK_BOOTTIME),
                        .use = TRY(usage_.cpu()),
                        .shares = {},
                        .shown = cpus.shown,
                        .quota = cpus.quota};
  std::vector<uint64_t> shares(static_cast<size_t>(cpus.allowed.back()) + 1);
  if (usage_.cpu_by_cpu(shares)) {
    look.kind = CpuHistory::Look::Shares::kOwn;
  } else {
    // Where the host was busy the group is the likeliest to have been.
    shares = busy_ticks(*host_);
  }
  look.shares = shares;
  history_.advance(look);
  return {};
}

Result<Uptime> SandboxResources::uptime() {
  Cpus cpus = current_cpus();
  std::lock_guard guard(lock_);
  uint64_t now_ns = uptime_ns();
  (void)look_at_cpus(cpus);
  if (history_.has_started()) return Uptime{.uptime_ns = now_ns, .idle_ns = history_.total().idle_ns};
  CpuTimes host = sum_of(TRY(host_times(cpus.shown)));
  return Uptime{.uptime_ns = now_ns, .idle_ns = host.ticks[kIdle] * kNanosecondsPerTick};
}

Result<std::vector<CpuTimes>> SandboxResources::host_times(const std::vector<int>& shown) {
  Activity now = TRY(host_->activity());
  std::vector<int> numbers = host_->cpus();
  std::vector<CpuTimes> times;
  for (size_t i = 0; i < std::min(numbers.size(), now.per_cpu.size()); ++i) {
    if (!std::ranges::binary_search(shown, numbers[i])) continue;
    CpuTimes& cpu = times.emplace_back(now.per_cpu[i]);
    if (i >= host_start_.size()) continue;
    for (size_t kind = 0; kind < CpuTimes::kKinds; ++kind)
      cpu.ticks[kind] -= std::min(cpu.ticks[kind], host_start_[i].ticks[kind]);
  }
  return times;
}

Result<Activity> SandboxResources::activity() {
  Cpus cpus = current_cpus();
  std::lock_guard guard(lock_);
  Activity activity;
  // When the group is gone its last numbers stay.
  (void)look_at_cpus(cpus);
  if (history_.has_started()) {
    for (int cpu : cpus.shown) activity.per_cpu.push_back(in_ticks(history_.of(cpu)));
    activity.total = in_ticks(history_.total());
  } else {
    activity.per_cpu = TRY(host_times(cpus.shown));
    activity.total = sum_of(activity.per_cpu);
  }
  TaskSample tasks = sample_tasks();
  // Whoever asks runs.
  activity.running = std::max<uint64_t>(tasks.running, 1);
  activity.blocked = tasks.blocked;
  activity.context_switches = tasks.switches;
  activity.forks = sentry_ ? sentry_->clone_count() + 1 : 1;
  // Interrupts are the host's, and no group's.
  activity.boot_time_s = (clock_ns(CLOCK_REALTIME) - uptime_ns()) / kNanosecondsPerSecond;
  return activity;
}

// ---- tasks and load ----

TaskSample SandboxResources::sample_tasks() {
  std::vector<SampledThread> threads;
  if (sentry_)
    for (const TaskPtr& task : sentry_->tasks().all())
      threads.push_back({task->host_tid, task->is_group_leader()});
  return sampler_.sample(threads);
}

Result<uint64_t> SandboxResources::running_tasks() {
  std::lock_guard guard(lock_);
  return sample_tasks().running;
}

void SandboxResources::advance_load() {
  uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  if (!load_.is_due(now_ns)) return;
  TaskSample tasks = sample_tasks();
  // While nobody looked: the time that those who were seen spent running, and waiting for a CPU; or the CPU
  // time of all, when those who came and went unseen make it more.
  uint64_t cpu_ns = tasks.cpu_ns - std::min(tasks.cpu_ns, load_cpu_ns_);
  uint64_t active_ns = std::max(tasks.active_ns - load_active_ns_, cpu_ns);
  uint64_t elapsed_ns = now_ns - load_.last_ns();
  uint64_t mean = static_cast<uint64_t>(static_cast<unsigned __int128>(active_ns) * LoadAverage::kOne /
                                        std::max<uint64_t>(elapsed_ns, 1));
  // Whoever waits for the sentry just now, the one who asks included, does not look as if it ran.
  uint64_t active_now = std::max(mean, tasks.running * LoadAverage::kOne);
  load_.advance(now_ns, mean, active_now + tasks.blocked * LoadAverage::kOne);
  load_active_ns_ = tasks.active_ns;
  load_cpu_ns_ += cpu_ns;
}

Result<Load> SandboxResources::load(LoadUse use) {
  std::lock_guard guard(lock_);
  advance_load();
  if (use == LoadUse::kWatched && !is_ending_) {
    watched_until_ns_ = clock_ns(CLOCK_BOOTTIME) + kWatchNs;
    if (!is_watching_) {
      // The last one has nothing left to do but end.
      if (watcher_.joinable()) watcher_.join();
      is_watching_ = true;
      watcher_ = std::thread([this] { watch_load(); });
    }
  }
  return load_.load();
}

void SandboxResources::watch_load() {
  std::unique_lock guard(lock_);
  while (!is_ending_ && clock_ns(CLOCK_BOOTTIME) < watched_until_ns_) {
    advance_load();
    uint64_t due_ns = load_.last_ns() + LoadAverage::kIntervalNs;
    uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
    wake_watcher_.wait_for(guard, std::chrono::nanoseconds(due_ns - std::min(now_ns, due_ns)));
  }
  is_watching_ = false;
}

}  // namespace sandbox
