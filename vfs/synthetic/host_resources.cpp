// The host's numbers, parsed out of its /proc and /sys.
#include "vfs/synthetic/host_resources.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <array>
#include <deque>
#include <mutex>

#include "sandbox/clock.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"
#include "vfs/sysfs/cpu_list.h"

namespace sandbox::vfs {
namespace {

// How long lines are believed while sysinfo(2) tells the same.
constexpr uint64_t kLinesLastNs = 10'000'000;

class HostResources : public ResourceView {
 public:
  HostResources(int proc, UniqueFd sys) : proc_(proc), sys_(std::move(sys)) {
    if (auto file = open_host_file(proc, "meminfo", O_RDONLY)) meminfo_ = *std::move(file);
  }

  std::vector<int> cpus() override;
  std::vector<int> possible_cpus() override;
  Result<std::vector<std::string>> cpu_descriptions() override;
  Result<std::string> cpu_attribute(int cpu, std::string_view path) override;
  Result<MemoryLines> memory() override;
  Result<MemorySummary> memory_summary() override;
  Result<Activity> activity() override;
  Result<Load> load(LoadUse) override;
  uint64_t uptime_ns() override;
  Result<Uptime> uptime() override;
  Result<uint64_t> running_tasks() override { return TRY(activity()).running; }
  Result<std::string> vmstat() override { return read_host_file(proc_, "vmstat"); }
  Result<std::string> diskstats() override;
  Result<std::string> partitions() override;
  Result<std::string> pressure(std::string_view name) override {
    return read_host_file(proc_, fmt::format("pressure/{}", name));
  }

 private:
  // With lock_.
  Result<MemoryLines> read_lines();
  // `name` where it stays: the kernel has its lines in one order. With lock_.
  std::string_view kept_name(size_t line, std::string_view name);

  const int proc_;
  const UniqueFd sys_;
  UniqueFd meminfo_;  // read from its start each time
  std::mutex lock_;
  std::deque<std::string> names_;  // lock_; of the lines of meminfo, which stay where they are
  MemoryLines lines_;              // lock_; those that were read last
  MemorySummary lines_summary_;    // lock_; what sysinfo(2) told then
  uint64_t lines_time_ns_ = 0;     // lock_; CLOCK_BOOTTIME
};

// The ticks of a cpu line, whose first word is already taken.
CpuTimes parse_cpu_times(std::string_view line) {
  CpuTimes times;
  for (uint64_t& ticks : times.ticks) ticks = parse_number<uint64_t>(take_word(&line)).value_or(0);
  return times;
}

// "3.14" with at most nine decimals, in billionths.
uint64_t parse_seconds_as_ns(std::string_view text) {
  size_t point = text.find('.');
  uint64_t ns = parse_number<uint64_t>(text.substr(0, point)).value_or(0) * 1'000'000'000;
  if (point == std::string_view::npos) return ns;
  uint64_t unit = 100'000'000;
  for (char digit : text.substr(point + 1)) {
    if (digit < '0' || digit > '9') break;
    ns += static_cast<uint64_t>(digit - '0') * unit;
    unit /= 10;
  }
  return ns;
}

std::vector<int> HostResources::cpus() {
  std::vector<int> numbers;
  if (auto text = read_host_file(proc_, "stat")) {
    for_each_line(*text, [&](std::string_view line) {
      std::string_view word = take_word(&line);
      if (!word.starts_with("cpu")) return;
      if (auto number = parse_number<int>(word.substr(3))) numbers.push_back(*number);
    });
  }
  if (numbers.empty()) numbers.push_back(0);
  return numbers;
}

std::vector<int> HostResources::possible_cpus() {
  if (sys_) {
    if (auto text = read_host_file(sys_.get(), "devices/system/cpu/possible")) return parse_cpu_list(*text);
  }
  return cpus();
}

Result<std::vector<std::string>> HostResources::cpu_descriptions() {
  std::string text = TRY(read_host_file(proc_, "cpuinfo"));
  std::vector<std::string> blocks;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find("\n\n", begin);
    if (end == std::string::npos) end = text.size();
    std::string block = text.substr(begin, end - begin);
    if (!block.empty() && !block.ends_with('\n')) block += '\n';
    if (block.starts_with("processor")) blocks.push_back(std::move(block));
    begin = end + 2;
  }
  return blocks;
}

Result<std::string> HostResources::cpu_attribute(int cpu, std::string_view path) {
  if (!sys_) return err(ENOENT);
  return read_host_file(sys_.get(), fmt::format("devices/system/cpu/cpu{}/{}", cpu, path));
}

std::string_view HostResources::kept_name(size_t line, std::string_view name) {
  if (line < names_.size() && names_[line] == name) return names_[line];
  for (const std::string& known : names_)
    if (known == name) return known;
  return names_.emplace_back(name);
}

// The kernel adds all of meminfo's lines up over all CPUs and nodes, sysinfo(2) only what changes with every
// page.
Result<MemoryLines> HostResources::memory() {
  if (!meminfo_) return err(ENOENT);
  MemorySummary summary = TRY(memory_summary());
  uint64_t now_ns = uptime_ns();
  std::lock_guard guard(lock_);
  if (summary != lines_summary_ || now_ns - lines_time_ns_ > kLinesLastNs) {
    lines_ = TRY(read_lines());
    lines_summary_ = summary;
    lines_time_ns_ = now_ns;
  }
  return lines_;
}

Result<MemoryLines> HostResources::read_lines() {
  std::array<char, 16384> buffer;
  ssize_t size = TRY(host_result(::pread(meminfo_.get(), buffer.data(), buffer.size(), 0)));
  std::string_view text(buffer.data(), static_cast<size_t>(size));
  MemoryLines lines;
  size_t number = 0;
  for_each_line(text, [&](std::string_view line) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view rest = line.substr(colon + 1);
    auto value = parse_number<uint64_t>(take_word(&rest));
    if (!value) return;
    auto unit = take_word(&rest) == "kB" ? MemoryLine::Unit::kKibibytes : MemoryLine::Unit::kCount;
    lines.push_back({kept_name(number++, line.substr(0, colon)), *value, unit});
  });
  lines.set_number();
  return lines;
}

// The kernel fills both from the same counters (si_meminfo).
Result<MemorySummary> HostResources::memory_summary() {
  struct sysinfo info;
  TRY(host_status(::sysinfo(&info)));
  uint64_t unit = info.mem_unit;
  return MemorySummary{.total = info.totalram * unit,
                       .free = info.freeram * unit,
                       .shared = info.sharedram * unit,
                       .buffers = info.bufferram * unit,
                       .swap_total = info.totalswap * unit,
                       .swap_free = info.freeswap * unit};
}

Result<Activity> HostResources::activity() {
  std::string text = TRY(read_host_file(proc_, "stat"));
  Activity activity;
  for_each_line(text, [&](std::string_view line) {
    std::string_view name = take_word(&line);
    auto number = [&line] { return parse_number<uint64_t>(take_word(&line)).value_or(0); };
    if (name == "cpu") {
      activity.total = parse_cpu_times(line);
    } else if (name.starts_with("cpu")) {
      activity.per_cpu.push_back(parse_cpu_times(line));
    } else if (name == "intr") {
      activity.interrupts = number();
    } else if (name == "ctxt") {
      activity.context_switches = number();
    } else if (name == "btime") {
      activity.boot_time_s = number();
    } else if (name == "processes") {
      activity.forks = number();
    } else if (name == "procs_running") {
      activity.running = number();
    } else if (name == "procs_blocked") {
      activity.blocked = number();
    } else if (name == "softirq") {
      for (uint64_t& count : activity.softirqs) count = number();
    }
  });
  return activity;
}

// Partitions follow their disk, and stacked devices repeat what disks below them count.
bool is_part_of(std::string_view name, std::string_view disk) {
  bool is_partition = !disk.empty() && name.starts_with(disk);
  bool is_stacked = name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram") ||
                    name.starts_with("dm-") || name.starts_with("md");
  return is_partition || is_stacked;
}

// One disk stands for all of the host's: which there are, and what they are called, is not told.
Result<std::string> HostResources::diskstats() {
  std::string text = TRY(read_host_file(proc_, "diskstats"));
  std::array<uint64_t, 17> sums{};
  std::string disk;
  for_each_line(text, [&](std::string_view line) {
    take_word(&line);  // major
    take_word(&line);  // minor
    std::string_view name = take_word(&line);
    if (is_part_of(name, disk)) return;
    disk = name;
    for (uint64_t& sum : sums) sum += parse_number<uint64_t>(take_word(&line)).value_or(0);
  });
  if (disk.empty()) return std::string();
  return fmt::format("   8       0 disk {}\n", fmt::join(sums, " "));
}

Result<std::string> HostResources::partitions() {
  std::string text = TRY(read_host_file(proc_, "partitions"));
  uint64_t blocks = 0;
  std::string disk;
  for_each_line(text, [&](std::string_view line) {
    auto major = parse_number<int>(take_word(&line));
    take_word(&line);  // minor
    auto size = parse_number<uint64_t>(take_word(&line));
    std::string_view name = take_word(&line);
    if (!major || !size || is_part_of(name, disk)) return;
    disk = name;
    blocks += *size;
  });
  std::string shown = "major minor  #blocks  name\n\n";
  if (!disk.empty()) shown += fmt::format("{:4}  {:7} {:10} {}\n", 8, 0, blocks, "disk");
  return shown;
}

Result<Load> HostResources::load(LoadUse) {
  std::string text = TRY(read_host_file(proc_, "loadavg"));
  std::string_view rest = text;
  Load load;
  for (uint64_t& average : load.averages)
    average = (parse_seconds_as_ns(take_word(&rest)) << Load::kShift) / 1'000'000'000;
  return load;
}

uint64_t HostResources::uptime_ns() { return clock_ns(CLOCK_BOOTTIME); }

Result<Uptime> HostResources::uptime() {
  std::string text = TRY(read_host_file(proc_, "uptime"));
  std::string_view rest = text;
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  Uptime uptime;
  uptime.uptime_ns = parse_seconds_as_ns(take_word(&rest));
  uptime.idle_ns = parse_seconds_as_ns(take_word(&rest));
  return uptime;
}

}  // namespace

std::unique_ptr<ResourceView> create_host_resources(int host_proc, UniqueFd host_sys) {
  return std::make_unique<HostResources>(host_proc, std::move(host_sys));
}

}  // namespace sandbox::vfs
