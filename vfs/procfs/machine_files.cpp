// Files about the machine: every number comes from the ResourceView
// (fs/proc/{meminfo,stat,loadavg,uptime}.c).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "vfs/procfs/context.h"

namespace sandbox::vfs {
namespace {

constexpr uint64_t kNanosecondsPerCentisecond = 10'000'000;
constexpr uint64_t kCentisecondsPerSecond = 100;

// `width` places at least, the number at the right.
char* put_number(char* at, uint64_t value, ptrdiff_t width) {
  std::array<char, 20> digits;
  char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  at = std::fill_n(at, std::max<ptrdiff_t>(width - (end - digits.data()), 0), ' ');
  return std::copy(digits.data(), end, at);
}

// By hand, as nothing else is read so often.
std::string text_of(const MemoryLines& lines) {
  constexpr size_t kLongestLine = 128;
  std::array<char, MemoryLines::kMaximum * kLongestLine> text;
  char* at = text.data();
  for (const MemoryLine& line : lines) {
    std::string_view name = line.name.substr(0, kLongestLine / 2);
    at = std::ranges::copy(name, at).out;
    *at++ = ':';
    at = std::fill_n(at, std::max<ptrdiff_t>(15 - std::ssize(name), 0), ' ');
    at = put_number(at, line.value, 8);
    at = std::ranges::copy(line.unit == MemoryLine::Unit::kKibibytes ? std::string_view(" kB\n") : "\n", at)
             .out;
  }
  return std::string(text.data(), at);
}

Result<std::string> generate_meminfo(const RootContext& context) {
  // What this thread made last.
  thread_local uint64_t number = 0;
  thread_local std::string text;
  MemoryLines lines = TRY(context.resources.memory());
  if (lines.number() == 0 || lines.number() != number) {
    text = text_of(lines);
    number = lines.number();
  }
  return text;
}

Result<std::string> generate_cpuinfo(const RootContext& context) {
  std::string text;
  for (const std::string& block : TRY(context.resources.cpu_descriptions())) text.append(block).append("\n");
  return text;
}

Result<std::string> generate_uptime(const RootContext& context) {
  Uptime uptime = TRY(context.resources.uptime());
  auto seconds = [](uint64_t ns) {
    uint64_t centiseconds = ns / kNanosecondsPerCentisecond;
    return fmt::format("{}.{:02}", centiseconds / kCentisecondsPerSecond,
                       centiseconds % kCentisecondsPerSecond);
  };
  return fmt::format("{} {}\n", seconds(uptime.uptime_ns), seconds(uptime.idle_ns));
}

void append_cpu_line(std::string_view name, const CpuTimes& times, std::string* text) {
  // The kernel puts two spaces after the total's name.
  fmt::format_to(std::back_inserter(*text), "{}{} {}\n", name, name == "cpu" ? " " : "",
                 fmt::join(times.ticks, " "));
}

Result<std::string> generate_stat(const RootContext& context) {
  Activity activity = TRY(context.resources.activity());
  std::vector<int> cpus = context.resources.cpus();
  std::string text;
  append_cpu_line("cpu", activity.total, &text);
  for (size_t i = 0; i < std::min(cpus.size(), activity.per_cpu.size()); ++i)
    append_cpu_line(fmt::format("cpu{}", cpus[i]), activity.per_cpu[i], &text);
  fmt::format_to(std::back_inserter(text),
                 "intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked {}\nsoftirq {}\n",
                 activity.interrupts, activity.context_switches, activity.boot_time_s, activity.forks,
                 activity.running, activity.blocked, fmt::join(activity.softirqs, " "));
  return text;
}

// "0.37", rounded as loadavg_proc_show does.
std::string load_in_words(uint64_t average) {
  constexpr uint64_t kOne = 1 << Load::kShift;
  average += kOne / 200;
  return fmt::format("{}.{:02}", average / kOne, average % kOne * 100 / kOne);
}

Result<std::string> generate_loadavg(const RootContext& context) {
  Load load = TRY(context.resources.load(ResourceView::LoadUse::kWatched));
  uint64_t running = TRY(context.resources.running_tasks());
  size_t threads = 0;
  pid_t last_pid = 0;
  for (pid_t pid : context.kernel.process_ids()) {
    for (pid_t tid : context.kernel.thread_ids(pid)) {
      ++threads;
      last_pid = std::max(last_pid, tid);
    }
  }
  return fmt::format("{} {} {} {}/{} {}\n", load_in_words(load.averages[0]), load_in_words(load.averages[1]),
                     load_in_words(load.averages[2]),
                     std::clamp<uint64_t>(running, 1, std::max<size_t>(threads, 1)), threads, last_pid);
}

Result<std::string> generate_swaps(const RootContext& context) {
  std::string text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  MemorySummary memory = TRY(context.resources.memory_summary());
  uint64_t total = memory.swap_total / 1024;
  uint64_t used = (memory.swap_total - memory.swap_free) / 1024;
  // The host's devices have no name inside.
  if (total > 0) text += fmt::format("{:<40}{}\t{}\t\t{}\t\t{}\n", "none", "virtual", total, used, 0);
  return text;
}

Result<std::string> generate_vmstat(const RootContext& context) { return context.resources.vmstat(); }
Result<std::string> generate_diskstats(const RootContext& context) { return context.resources.diskstats(); }
Result<std::string> generate_partitions(const RootContext& context) { return context.resources.partitions(); }

// ---- tables with a column a CPU: which device interrupts the host is not told ----

std::string cpu_columns(const RootContext& context, std::string_view cell) {
  std::string columns;
  for (int cpu : context.resources.cpus())
    columns += cell.empty() ? fmt::format("{:>11}", fmt::format("CPU{}", cpu)) : fmt::format("{:>11}", cell);
  return columns;
}

Result<std::string> generate_interrupts(const RootContext& context) {
  struct Row {
    const char* name;
    const char* description;
  };
  constexpr Row kRows[] = {
      {"NMI", "Non-maskable interrupts"}, {"LOC", "Local timer interrupts"},
      {"RES", "Rescheduling interrupts"}, {"CAL", "Function call interrupts"},
      {"TLB", "TLB shootdowns"},          {"MCE", "Machine check exceptions"},
  };
  std::string text = fmt::format("    {} \n", cpu_columns(context, ""));
  for (const Row& row : kRows)
    text += fmt::format("{}:{}   {}\n", row.name, cpu_columns(context, "0"), row.description);
  text += "ERR:          0\nMIS:          0\n";
  return text;
}

Result<std::string> generate_softirqs(const RootContext& context) {
  constexpr const char* kKinds[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                    "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
  Activity activity = TRY(context.resources.activity());
  size_t cpu_count = context.resources.cpus().size();
  std::string text = fmt::format("            {}\n", cpu_columns(context, ""));
  for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
    // Only the sums are known; shares make the columns add up to them.
    uint64_t total = activity.softirqs[kind + 1];
    text += fmt::format("{:>12}:", kKinds[kind]);
    for (size_t cpu = 0; cpu < cpu_count; ++cpu)
      text += fmt::format(" {:>10}", total / cpu_count + (cpu < total % cpu_count ? 1 : 0));
    text += '\n';
  }
  return text;
}

Result<std::string> generate_schedstat(const RootContext& context) {
  std::string text = "version 15\ntimestamp 4294892296\n";
  for (int cpu : context.resources.cpus()) text += fmt::format("cpu{} 0 0 0 0 0 0 0 0 0\n", cpu);
  return text;
}

// ---- the page allocator: one node, one zone that holds all memory ----

constexpr uint64_t kBytesPerPage = 4096;
constexpr int kOrders = 11;

struct Pages {
  uint64_t total = 0, free = 0;
};
Result<Pages> page_counts(const RootContext& context) {
  MemorySummary memory = TRY(context.resources.memory_summary());
  return Pages{.total = memory.total / kBytesPerPage, .free = memory.free / kBytesPerPage};
}

Result<std::string> generate_buddyinfo(const RootContext& context) {
  Pages pages = TRY(page_counts(context));
  std::string text = "Node 0, zone   Normal ";
  for (int order = 0; order < kOrders; ++order) {
    uint64_t block = 1ull << order;
    bool is_largest = order == kOrders - 1;
    text += fmt::format("{:>6} ", is_largest ? pages.free / block : (pages.free / block) & 1);
  }
  return text + "\n";
}

Result<std::string> generate_zoneinfo(const RootContext& context) {
  Pages pages = TRY(page_counts(context));
  return fmt::format(
      "Node 0, zone   Normal\n  pages free     {}\n        boost    0\n        min      0\n        low      "
      "0\n"
      "        high     0\n        spanned  {}\n        present  {}\n        managed  {}\n        cma      "
      "0\n",
      pages.free, pages.total, pages.total, pages.total);
}

constexpr RootFile kFiles[] = {
    {"meminfo", 0444, generate_meminfo},       {"cpuinfo", 0444, generate_cpuinfo},
    {"uptime", 0444, generate_uptime},         {"stat", 0444, generate_stat},
    {"loadavg", 0444, generate_loadavg},       {"swaps", 0444, generate_swaps},
    {"vmstat", 0444, generate_vmstat},         {"diskstats", 0444, generate_diskstats},
    {"partitions", 0444, generate_partitions}, {"interrupts", 0444, generate_interrupts},
    {"softirqs", 0444, generate_softirqs},     {"schedstat", 0444, generate_schedstat},
    {"buddyinfo", 0444, generate_buddyinfo},   {"zoneinfo", 0444, generate_zoneinfo},
};

}  // namespace

std::span<const RootFile> machine_files() { return kFiles; }

}  // namespace sandbox::vfs
