// Opening and reading the files of the groups.
#include "sentry/cgroup/usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "sandbox/clock.h"
#include "sandbox/numbers.h"
#include "sentry/cgroup/numbers.h"
#include "vfs/sysfs/cpu_list.h"

namespace sandbox::cgroup {

namespace {

using ShortText = std::array<char, 128>;

constexpr uint64_t kNanosecondsPerMicrosecond = 1000;
constexpr uint64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100
constexpr uint64_t kStatisticsLastNs = 10'000'000;
// Whoever changes an ancestor's limit is outside, and no answer of his comes sooner.
constexpr uint64_t kAncestorsLastNs = 10'000'000;
// Limits of groups above what is visible: nobody in here is told when they change.
constexpr uint64_t kHiddenLimitsLastNs = 1'000'000'000;

// The first line of a file that holds one.
Result<std::string_view> read_line(const LiveFile& file, ShortText& buffer) {
  std::string_view text = TRY(file.read(buffer));
  return take_line(&text);
}

Result<uint64_t> read_number(const LiveFile& file) {
  ShortText buffer;
  auto value = parse_number<uint64_t>(TRY(read_line(file, buffer)));
  if (!value) return err(EIO);
  return *value;
}

// The host as a whole: its files say nothing of any workload.
bool is_topmost(const GroupDirectory& group) {
  int directory = group.directory.get();
  if (group.version == HierarchyVersion::kV1) return ::faccessat(directory, "release_agent", F_OK, 0) == 0;
  return ::faccessat(directory, "cgroup.events", F_OK, 0) != 0;
}

// "254:0"
bool parse_device(std::string_view word, IoUse* use) {
  auto major = parse_number<uint64_t>(take_until(&word, ':'));
  auto minor = parse_number<uint64_t>(word);
  if (!major || !minor) return false;
  use->major = static_cast<unsigned>(*major);
  use->minor = static_cast<unsigned>(*minor);
  return true;
}

IoUse& use_of_device(std::vector<IoUse>& all, const IoUse& device) {
  for (IoUse& use : all)
    if (use.major == device.major && use.minor == device.minor) return use;
  return all.emplace_back(device);
}

}  // namespace

UsageReader::UsageReader(const CgroupDirectories& directories, const Limits& unenforced)
    : memory_version_(directories.of(Controller::kMemory).version),
      cpu_version_(directories.of(Controller::kCpu).version),
      pids_version_(directories.of(Controller::kPids).version),
      io_version_(directories.of(Controller::kIo).version),
      parser_(memory_version_),
      statistics_text_(std::make_unique<char[]>(kLargestStatistics)) {
  if (const GroupDirectory& group = directories.of(Controller::kMemory)) open_memory(group);
  open_cpu(directories);
  if (const GroupDirectory& group = directories.of(Controller::kPids)) {
    pids_current_ = LiveFile(group.directory.get(), "pids.current");
    open_chain(group, "pids.max", nullptr, &pids_limits_);
  }
  if (const GroupDirectory& group = directories.of(Controller::kIo)) open_io(group);
  if (directories.unified)
    unified_ = UniqueFd(::fcntl(directories.unified.directory.get(), F_DUPFD_CLOEXEC, 0));
  add_unenforced(unenforced);
}

UsageReader::~UsageReader() = default;

// Links of the chains without a file: their value is the last one for ever.
void UsageReader::add_unenforced(const Limits& limits) {
  unenforced_memory_ = limits.memory_bytes;
  unenforced_cpus_ = limits.cpus;
  if (limits.memory_bytes) memory_limits_.links.emplace_back().last = *limits.memory_bytes;
  has_memory_ = has_memory_ || limits.memory_bytes;
  if (limits.memory_and_swap_bytes) {
    bool is_sum = memory_version_ == HierarchyVersion::kV1 || *limits.memory_and_swap_bytes == kUnlimited;
    swap_limits_.links.emplace_back().last =
        *limits.memory_and_swap_bytes - (is_sum ? 0 : limits.memory_bytes.value_or(0));
  }
  if (limits.pids) pids_limits_.links.emplace_back().last = *limits.pids;
  if (limits.cpu) {
    Limit& quota = cpu_limits_.links.emplace_back();
    quota.last = limits.cpu->quota_us;
    quota.last_period = limits.cpu->period_us;
  }
}

void UsageReader::open_chain(const GroupDirectory& group, const char* file, const char* period,
                             Chain* chain) {
  std::string path;
  for (size_t steps = 0; steps <= group.ancestor_count; ++steps) {
    LiveFile limit(group.directory.get(), (path + file).c_str());
    // The topmost group has none.
    if (limit.is_open()) {
      Limit& added = chain->links.emplace_back();
      added.file = std::move(limit);
      if (period) added.period = LiveFile(group.directory.get(), (path + period).c_str());
    }
    path += "../";
  }
}

void UsageReader::open_memory(const GroupDirectory& group) {
  bool is_v1 = memory_version_ == HierarchyVersion::kV1;
  int directory = group.directory.get();
  memory_used_.file = LiveFile(directory, is_v1 ? "memory.usage_in_bytes" : "memory.current");
  memory_statistics_ = LiveFile(directory, "memory.stat");
  swap_used_.file = LiveFile(directory, is_v1 ? "memory.memsw.usage_in_bytes" : "memory.swap.current");
  open_chain(group, is_v1 ? "memory.limit_in_bytes" : "memory.max", nullptr, &memory_limits_);
  open_chain(group, is_v1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max", nullptr, &swap_limits_);
  has_memory_ = memory_used_.file.is_open();
}

void UsageReader::open_cpu(const CgroupDirectories& directories) {
  if (const GroupDirectory& group = directories.of(Controller::kCpu)) {
    bool is_v1 = cpu_version_ == HierarchyVersion::kV1;
    open_chain(group, is_v1 ? "cpu.cfs_quota_us" : "cpu.max", is_v1 ? "cpu.cfs_period_us" : nullptr,
               &cpu_limits_);
  }
  if (const GroupDirectory& group = directories.of(Controller::kCpuacct)) {
    bool is_v1 = group.version == HierarchyVersion::kV1;
    cpu_total_ = LiveFile(group.directory.get(), is_v1 ? "cpuacct.stat" : "cpu.stat");
    if (is_v1) cpu_by_cpu_ = LiveFile(group.directory.get(), "cpuacct.usage_percpu");
  }
  if (const GroupDirectory& group = directories.of(Controller::kCpuset)) {
    for (const char* name : {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"})
      if (!cpus_.is_open()) cpus_ = LiveFile(group.directory.get(), name);
  }
}

void UsageReader::open_io(const GroupDirectory& group) {
  int directory = group.directory.get();
  bool is_v1 = io_version_ == HierarchyVersion::kV1;
  io_bytes_ = LiveFile(directory, is_v1 ? "blkio.throttle.io_service_bytes_recursive" : "io.stat");
  if (is_v1) io_operations_ = LiveFile(directory, "blkio.throttle.io_serviced_recursive");
  has_io_ = io_bytes_.is_open() && !is_topmost(group);
}

// ---- limits ----

template <typename Read>
void UsageReader::Chain::refresh(Read read) {
  if (links.empty()) return;
  read(links.front());
  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  uint64_t read_ns = ancestors_read_ns.load(std::memory_order_relaxed);
  if (read_ns != 0 && now_ns - read_ns < kAncestorsLastNs) return;
  for (size_t i = 1; i < links.size(); ++i) read(links[i]);
  ancestors_read_ns.store(now_ns, std::memory_order_relaxed);
}

uint64_t UsageReader::smallest(Chain& chain, HierarchyVersion version) {
  chain.refresh([version](Limit& limit) {
    ShortText buffer;
    auto line = read_line(limit.file, buffer);
    auto value = line ? limit_number(*line) : std::nullopt;
    if (value) limit.last = version == HierarchyVersion::kV1 ? from_v1(*value) : *value;
  });
  uint64_t least = kUnlimited;
  for (const Limit& limit : chain.links) least = std::min(least, limit.last.load());
  return least;
}

// ---- memory ----

Result<uint64_t> UsageReader::KeptNumber::read() {
  auto value = read_number(file);
  if (value) {
    last.store(*value, std::memory_order_relaxed);
    return value;
  }
  uint64_t kept = last.load(std::memory_order_relaxed);
  return kept == kUnlimited ? value : kept;
}

Result<MemoryUse> UsageReader::memory_use(const MemoryLimits& limits, Swap swap) {
  MemoryUse use{.limit = limits.memory, .swap_limit = limits.swap};
  if (!is_charged(use)) return use;
  use.used = TRY(memory_used_.read());
  if (swap == Swap::kSkip) return use;
  // Where swap is not counted (swapaccount=0) it is not limited either.
  use.swap_used = swap_used_.read().value_or(0);
  // v1 counts memory and swap together.
  if (memory_version_ == HierarchyVersion::kV1) use.swap_used -= std::min(use.swap_used, use.used);
  return use;
}

void UsageReader::refresh_statistics(uint64_t now_ns) {
  auto text = memory_statistics_.read({statistics_text_.get(), kLargestStatistics});
  if (!text) return;  // the last ones stay
  statistics_ = parser_.parse(*text);
  statistics_time_ns_ = now_ns;
  ++statistics_number_;
}

MemoryLimits UsageReader::with_hidden_limits(MemoryLimits limits) const {
  auto smaller = [this](uint64_t limit, MemoryField field) {
    return statistics_[field] == 0 ? limit : std::min(limit, from_v1(statistics_[field]));
  };
  limits.memory = smaller(limits.memory, MemoryField::kHierarchicalLimit);
  limits.swap = smaller(limits.swap, MemoryField::kHierarchicalSwapLimit);
  // v1 limits memory and swap together.
  if (limits.swap != kUnlimited) limits.swap -= std::min(limits.swap, limits.memory);
  return limits;
}

MemoryLimits UsageReader::memory_limits(Swap swap) {
  MemoryLimits limits{.memory = smallest(memory_limits_, memory_version_)};
  if (swap == Swap::kRead) limits.swap = smallest(swap_limits_, memory_version_);
  if (memory_version_ != HierarchyVersion::kV1) return limits;
  std::lock_guard guard(statistics_lock_);
  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  if (limits != statistics_limits_ || statistics_number_ == 0 ||
      now_ns - statistics_time_ns_ > kHiddenLimitsLastNs) {
    refresh_statistics(now_ns);
    statistics_limits_ = limits;
  }
  return with_hidden_limits(limits);
}

Result<UsageReader::MemoryDetails> UsageReader::memory_details(const MemoryLimits& limits, Swap swap) {
  MemoryDetails details{.use = TRY(memory_use(limits, swap))};
  const MemoryUse& use = details.use;
  if (!is_charged(use)) return details;
  std::lock_guard guard(statistics_lock_);
  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  if (use.used != statistics_use_.used || use.swap_used != statistics_use_.swap_used ||
      statistics_number_ == 0 || now_ns - statistics_time_ns_ > kStatisticsLastNs) {
    refresh_statistics(now_ns);
    statistics_use_ = use;
  }
  details.statistics = statistics_;
  details.statistics_number = statistics_number_;
  return details;
}

// ---- CPU time ----

Result<CpuUse> UsageReader::cpu() {
  std::array<char, 2048> buffer;
  std::string_view text = TRY(cpu_total_.read(buffer));
  CpuUse use;
  while (text.contains('\n')) {
    std::string_view line = take_line(&text);
    std::string_view name = take_word(&line);
    uint64_t value = parse_number<uint64_t>(line).value_or(0);
    if (name == "user_usec") use.user_ns = value * kNanosecondsPerMicrosecond;
    if (name == "system_usec") use.system_ns = value * kNanosecondsPerMicrosecond;
    if (name == "nice_usec") use.nice_ns = value * kNanosecondsPerMicrosecond;
    if (name == "user") use.user_ns = value * kNanosecondsPerTick;
    if (name == "system") use.system_ns = value * kNanosecondsPerTick;
  }
  use.nice_ns = std::min(use.nice_ns, use.user_ns);
  return use;
}

Result<void> UsageReader::cpu_by_cpu(std::span<uint64_t> total_ns) {
  // Up to 20 digits a CPU. Not in the thread's own storage: every thread of the sentry would touch all of it
  // when it starts.
  thread_local std::vector<char> buffer(65536);
  std::string_view text = TRY(cpu_by_cpu_.read(buffer));
  std::string_view line = take_line(&text);
  for (uint64_t& cpu : total_ns) {
    auto value = parse_number<uint64_t>(take_word(&line));
    if (!value) break;
    cpu = *value;
  }
  return {};
}

void UsageReader::read_quota(Limit& limit, HierarchyVersion version) {
  ShortText buffer, period_buffer;
  auto read = read_line(limit.file, buffer);
  if (!read) return;
  std::string_view line = *read;
  auto quota = limit_number(take_word(&line));
  std::optional<uint64_t> period = parse_number<uint64_t>(line);
  if (version == HierarchyVersion::kV1) {
    auto second = read_line(limit.period, period_buffer);
    period = second ? parse_number<uint64_t>(*second) : std::nullopt;
  }
  if (!quota || !period || *period == 0) return;
  limit.last = *quota;
  limit.last_period = *period;
}

std::optional<CpuQuota> UsageReader::cpu_quota() {
  cpu_limits_.refresh([this](Limit& limit) { read_quota(limit, cpu_version_); });
  std::optional<CpuQuota> least;
  for (const Limit& limit : cpu_limits_.links) {
    CpuQuota quota{.quota_us = limit.last, .period_us = limit.last_period};
    if (quota.quota_us == kUnlimited) continue;
    using Wide = unsigned __int128;
    if (!least || Wide{quota.quota_us} * least->period_us < Wide{least->quota_us} * quota.period_us)
      least = quota;
  }
  return least;
}

Result<std::vector<int>> UsageReader::cpus() {
  std::array<char, 4096> buffer;
  auto text = cpus_.read(buffer);
  if (!text && !unenforced_cpus_.empty()) return unenforced_cpus_;
  std::vector<int> cpus = vfs::parse_cpu_list(TRY(text));
  if (cpus.empty()) return err(ENOENT);
  if (!unenforced_cpus_.empty()) {
    std::vector<int> both;
    std::ranges::set_intersection(cpus, unenforced_cpus_, std::back_inserter(both));
    if (!both.empty()) return both;
  }
  return cpus;
}

// ---- the others ----

Result<PidsUse> UsageReader::pids() {
  return PidsUse{.current = TRY(read_number(pids_current_)), .limit = smallest(pids_limits_, pids_version_)};
}

Result<std::vector<IoUse>> UsageReader::io() {
  std::array<char, 16384> buffer;
  std::vector<IoUse> all;
  std::string_view text = TRY(io_bytes_.read(buffer));
  auto for_each_device = [&](std::string_view lines, auto take) {
    while (lines.contains('\n')) {
      std::string_view line = take_line(&lines);
      IoUse device;
      if (parse_device(take_word(&line), &device)) take(device, line);
    }
  };
  if (io_version_ == HierarchyVersion::kV2) {
    for_each_device(text, [&](const IoUse& device, std::string_view line) {
      IoUse& use = use_of_device(all, device);
      while (!line.empty()) {
        std::string_view value = take_word(&line);
        std::string_view key = take_until(&value, '=');
        uint64_t number = parse_number<uint64_t>(value).value_or(0);
        if (key == "rbytes") use.read_bytes = number;
        if (key == "wbytes") use.write_bytes = number;
        if (key == "dbytes") use.discard_bytes = number;
        if (key == "rios") use.reads = number;
        if (key == "wios") use.writes = number;
        if (key == "dios") use.discards = number;
      }
    });
    return all;
  }
  auto take_v1 = [&](uint64_t IoUse::* read, uint64_t IoUse::* write, uint64_t IoUse::* discard) {
    return [&, read, write, discard](const IoUse& device, std::string_view line) {
      IoUse& use = use_of_device(all, device);
      std::string_view kind = take_word(&line);
      uint64_t number = parse_number<uint64_t>(line).value_or(0);
      if (kind == "Read") use.*read = number;
      if (kind == "Write") use.*write = number;
      if (kind == "Discard") use.*discard = number;
    };
  };
  for_each_device(text, take_v1(&IoUse::read_bytes, &IoUse::write_bytes, &IoUse::discard_bytes));
  if (auto counts = io_operations_.read(buffer))
    for_each_device(*counts, take_v1(&IoUse::reads, &IoUse::writes, &IoUse::discards));
  return all;
}

Result<UniqueFd> UsageReader::open_pressure(std::string_view name, int flags) const {
  if (!unified_) return err(ENOENT);
  std::string file = std::string(name) + ".pressure";
  return UniqueFd(TRY(host_result(::openat(unified_.get(), file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW))));
}

}  // namespace sandbox::cgroup
