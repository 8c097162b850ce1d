// The CPUs of the sandbox, its disks and its pressure.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "sandbox/numbers.h"
#include "sentry/resources/sandbox_resources.h"
#include "vfs/synthetic/text.h"

namespace sandbox {

namespace {

constexpr uint64_t kBytesPerSector = 512;

// What stands behind "siblings\t: " in a block of /proc/cpuinfo.
std::string_view field_of(std::string_view block, std::string_view name) {
  std::string_view value;
  vfs::for_each_line(block, [&](std::string_view line) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view key = line.substr(0, line.find_first_of("\t:"));
    if (key != name) return;
    value = line.substr(std::min(colon + 2, line.size()));
  });
  return value;
}

std::string with_field(const std::string& block, std::string_view name, size_t value) {
  std::string changed;
  vfs::for_each_line(block, [&](std::string_view line) {
    bool is_it = line.substr(0, line.find_first_of("\t:")) == name;
    if (is_it) {
      fmt::format_to(std::back_inserter(changed), "{} {}\n", line.substr(0, line.find(':') + 1), value);
    } else {
      changed.append(line).append("\n");
    }
  });
  return changed;
}

}  // namespace

SandboxResources::Cpus SandboxResources::current_cpus() {
  Cpus cpus;
  cpus.allowed = usage_.cpus().value_or(std::vector<int>{});
  if (cpus.allowed.empty()) cpus.allowed = host_->cpus();
  cpus.quota = usage_.cpu_quota();
  size_t count = cpus.allowed.size();
  if (cpus.quota) {
    // A part of a CPU is a CPU.
    uint64_t whole =
        cpus.quota->quota_us / cpus.quota->period_us + (cpus.quota->quota_us % cpus.quota->period_us != 0);
    count = std::clamp<size_t>(whole, 1, count);
  }
  // The first ones: who asks twice gets the same answer.
  cpus.shown.assign(cpus.allowed.begin(), cpus.allowed.begin() + static_cast<ptrdiff_t>(count));
  return cpus;
}

Result<std::vector<std::string>> SandboxResources::cpu_descriptions() {
  std::vector<int> shown = cpus();
  std::vector<std::string> blocks = TRY(host_->cpu_descriptions());
  std::erase_if(blocks, [&](const std::string& block) {
    auto number = parse_number<int>(field_of(block, "processor"));
    return !number || !std::ranges::binary_search(shown, *number);
  });
  // Of each package only what is shown of it.
  for (std::string& block : blocks) {
    std::string package(field_of(block, "physical id"));
    if (package.empty()) continue;
    size_t siblings = 0;
    std::set<std::string, std::less<>> cores;
    for (const std::string& other : blocks) {
      if (field_of(other, "physical id") != package) continue;
      ++siblings;
      cores.emplace(field_of(other, "core id"));
    }
    block = with_field(with_field(block, "siblings", siblings), "cpu cores", cores.size());
  }
  return blocks;
}

Result<std::string> SandboxResources::cpu_attribute(int cpu, std::string_view path) {
  return host_->cpu_attribute(cpu, path);
}

Result<cgroup::IoUse> SandboxResources::io_of_all_disks() {
  cgroup::IoUse sum;
  for (const cgroup::IoUse& disk : TRY(usage_.io())) {
    sum.read_bytes += disk.read_bytes;
    sum.write_bytes += disk.write_bytes;
    sum.discard_bytes += disk.discard_bytes;
    sum.reads += disk.reads;
    sum.writes += disk.writes;
    sum.discards += disk.discards;
  }
  return sum;
}

// The one disk that stands for the host's. Times of requests are not counted for groups.
Result<std::string> SandboxResources::diskstats() {
  if (!usage_.has_io()) return host_->diskstats();
  cgroup::IoUse io = TRY(io_of_all_disks());
  return fmt::format("   8       0 disk {} 0 {} 0 {} 0 {} 0 0 0 0 {} 0 {} 0 0 0\n", io.reads,
                     io.read_bytes / kBytesPerSector, io.writes, io.write_bytes / kBytesPerSector,
                     io.discards, io.discard_bytes / kBytesPerSector);
}

Result<std::string> SandboxResources::pressure(std::string_view name) {
  auto file = usage_.open_pressure(name, O_RDONLY);
  if (!file) return host_->pressure(name);
  std::array<char, 512> text;
  ssize_t size = TRY(host_result(::pread(file->get(), text.data(), text.size(), 0)));
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace sandbox
