// From the words behind --memory, --cpus and the others to numbers.
#include "tools/limit_options.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/messages.h"

namespace sandbox::tools {
namespace {

using cgroup::IoLimit;
using cgroup::kUnlimited;

std::unexpected<RunFailure> refuse(std::string_view option, std::string_view value, std::string reason,
                                   std::string advice) {
  std::string shown = value.empty() ? "''" : printable(value);
  return std::unexpected(RunFailure{.doing = fmt::format("use {} {}", option, shown),
                                    .reason = std::move(reason),
                                    .advice = std::move(advice)});
}

// A count without a unit, or "max".
Parsed<uint64_t> parse_count(std::string_view option, const std::string& text, const std::string& advice) {
  if (text == "max") return kUnlimited;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range)
    return refuse(option, text, "it is larger than any machine", advice);
  if (error != std::errc{} || end != text.data() + text.size())
    return refuse(option, text, text.starts_with('-') ? "it is negative" : "it is no number", advice);
  return number;
}

Parsed<uint64_t> parse_bytes(std::string_view option, const std::string& text) {
  if (text == "max") return kUnlimited;
  auto size = parse_size(text);
  if (size) return *size;
  bool is_negative = text.starts_with('-');
  return refuse(option, text, is_negative ? "it is negative" : size.error().reason,
                "a number of bytes, with k, m, g or t for powers of 1024 (64m), or max for no limit");
}

Parsed<cgroup::CpuQuota> parse_cpus(const std::string& text) {
  constexpr const char* kAdvice =
      "a number of CPUs, with a fraction if need be (--cpus 1.5), or max for no limit";
  cgroup::CpuQuota quota;
  if (text == "max") {
    quota.quota_us = kUnlimited;
    return quota;
  }
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number))
    return refuse("--cpus", text, "it is no number", kAdvice);
  if (number <= 0) return refuse("--cpus", text, number < 0 ? "it is negative" : "it is zero", kAdvice);
  constexpr double kMostCpus = 1e6;  // more than any machine has; larger numbers would not fit
  quota.quota_us =
      static_cast<uint64_t>(std::llround(std::min(number, kMostCpus) * static_cast<double>(quota.period_us)));
  return quota;
}

// "0,2-3", strictly: what is typed by a person is not guessed at.
Parsed<std::vector<int>> parse_cpuset(const std::string& text) {
  auto bad = [&] {
    return refuse("--cpuset-cpus", text, "it is no list of CPUs",
                  "numbers and ranges with commas between: 0,2-3");
  };
  constexpr int kMostCpus = 8192;  // CONFIG_NR_CPUS at its largest on x86-64
  std::vector<int> cpus;
  const char *at = text.data(), *end = text.data() + text.size();
  for (;;) {
    int first = 0;
    auto [after, error] = std::from_chars(at, end, first);
    if (error != std::errc{} || first < 0) return bad();
    int last = first;
    if (after != end && *after == '-') {
      auto range = std::from_chars(after + 1, end, last);
      if (range.ec != std::errc{} || last < first) return bad();
      after = range.ptr;
    }
    if (last >= kMostCpus)
      return refuse("--cpuset-cpus", text, fmt::format("no machine has a CPU {}", last),
                    "a CPU of `nproc --all`");
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (after == end) break;
    if (*after != ',') return bad();
    at = after + 1;
  }
  std::ranges::sort(cpus);
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

constexpr const char* kIoAdvice = "--io-max /dev/sda:rbps=10m,wbps=5m,riops=1000,wiops=500, or a part of it";

// A block device by its path or by MAJOR:MINOR. Only a whole disk can be limited.
Parsed<IoLimit> parse_device(const std::string& text, const std::string& device) {
  IoLimit limit;
  const char* end = device.data() + device.size();
  auto [colon, error] = std::from_chars(device.data(), end, limit.major);
  const bool has_numbers = error == std::errc{} && end - colon >= 2 && *colon == ':' &&
                           std::from_chars(colon + 1, end, limit.minor).ptr == end;
  if (!has_numbers) {
    struct stat status{};
    if (::stat(device.c_str(), &status) != 0)
      return refuse("--io-max", text, fmt::format("{}: {}", printable(device), reason_of(Errno::last())),
                    kIoAdvice);
    if (!S_ISBLK(status.st_mode))
      return refuse("--io-max", text, fmt::format("{} is no block device", printable(device)), kIoAdvice);
    limit.major = gnu_dev_major(status.st_rdev);
    limit.minor = gnu_dev_minor(status.st_rdev);
  }
  const std::string place = fmt::format("/sys/dev/block/{}:{}", limit.major, limit.minor);
  if (::access(place.c_str(), F_OK) != 0)
    return refuse("--io-max", text,
                  fmt::format("the host has no block device {}:{}", limit.major, limit.minor), kIoAdvice);
  if (::access((place + "/partition").c_str(), F_OK) == 0)
    return refuse("--io-max", text, "it is a partition, and only whole disks can be limited",
                  "its disk (lsblk)");
  return limit;
}

Parsed<IoLimit> parse_io(const std::string& text) {
  size_t colon = text.rfind(':');
  if (colon == std::string::npos || !text.substr(colon).contains('='))
    return refuse("--io-max", text, "it names no limit", kIoAdvice);
  IoLimit limit = TRY(parse_device(text, text.substr(0, colon)));
  std::string rest = text.substr(colon + 1);
  while (!rest.empty()) {
    std::string part = rest.substr(0, rest.find(','));
    rest.erase(0, part.size() + 1);
    size_t equals = part.find('=');
    std::string key = part.substr(0, equals);
    std::optional<uint64_t>* field = key == "rbps"    ? &limit.read_bytes_per_s
                                     : key == "wbps"  ? &limit.write_bytes_per_s
                                     : key == "riops" ? &limit.reads_per_s
                                     : key == "wiops" ? &limit.writes_per_s
                                                      : nullptr;
    if (field == nullptr || equals == std::string::npos)
      return refuse("--io-max", text, fmt::format("`{}` is no limit of a disk", printable(part)), kIoAdvice);
    auto value = parse_bytes("--io-max", part.substr(equals + 1));
    if (!value) return refuse("--io-max", text, fmt::format("{}: {}", key, value.error().reason), kIoAdvice);
    *field = *value;
  }
  return limit;
}

}  // namespace

void add_limit_options(CLI::App& app, LimitOptions& options) {
  app.add_option("--memory", options.memory, "memory, as 512m; programs that need more are killed")
      ->type_name("SIZE|max");
  app.add_option("--memory-swap", options.memory_swap, "memory and swap together (default: twice --memory)")
      ->type_name("SIZE|max");
  app.add_option("--cpus", options.cpus, "CPU time, as 1.5 CPUs")->type_name("N|max");
  app.add_option("--cpuset-cpus", options.cpuset, "the CPUs to run on, as 0,2-3")->type_name("LIST");
  app.add_option("--cpu-weight", options.cpu_weight, "share of contended CPUs, 1 to 10000; others have 100")
      ->type_name("N");
  app.add_option("--pids-limit", options.pids, "processes and threads")->type_name("N|max");
  app.add_option("--io-max", options.io, "speed of a disk: rbps, wbps, riops, wiops")
      ->type_name("DEV:rbps=N,..")
      ->allow_extra_args(false);
  app.add_option("--blkio-weight", options.io_weight, "share of contended disks, 10 to 1000; others have 100")
      ->type_name("N");
}

Parsed<cgroup::Limits> parse_limits(const LimitOptions& options) {
  cgroup::Limits limits;
  if (options.memory) limits.memory_bytes = TRY(parse_bytes("--memory", *options.memory));
  if (options.memory_swap)
    limits.memory_and_swap_bytes = TRY(parse_bytes("--memory-swap", *options.memory_swap));
  if (options.cpus) limits.cpu = TRY(parse_cpus(*options.cpus));
  if (options.cpuset) limits.cpus = TRY(parse_cpuset(*options.cpuset));
  constexpr uint64_t kNoWeight = 1'000'000;  // beyond every scale; check_limits says which there are
  if (options.cpu_weight)
    limits.cpu_weight = static_cast<unsigned>(std::min(
        TRY(parse_count("--cpu-weight", *options.cpu_weight, "a number from 1 to 10000")), kNoWeight));
  if (options.pids)
    limits.pids = TRY(parse_count("--pids-limit", *options.pids, "a number of tasks, or max for no limit"));
  for (const std::string& text : options.io) limits.io.push_back(TRY(parse_io(text)));
  if (options.io_weight)
    limits.io_weight = static_cast<unsigned>(std::min(
        TRY(parse_count("--blkio-weight", *options.io_weight, "a number from 10 to 1000")), kNoWeight));
  return limits;
}

}  // namespace sandbox::tools
