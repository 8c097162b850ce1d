// Writing limits, on v1 and v2; both forms of one limit stand side by side.
#include "sentry/cgroup/limit_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "platform/host_file.h"
#include "sandbox/numbers.h"
#include "sentry/failure.h"
#include "vfs/sysfs/cpu_list.h"

namespace sandbox::cgroup {

namespace {

std::string number_or(uint64_t number, std::string_view unlimited) {
  return number == kUnlimited ? std::string(unlimited) : fmt::format("{}", number);
}

// Why a write of a limit fails, where the errno alone would say too little.
std::string explain(Errno error) {
  if (error == Errno(EBUSY)) return fmt::format("the sandbox already uses more ({})", error.name());
  if (error == Errno(ENODEV)) return fmt::format("it is no whole disk ({})", error.name());
  return reason_in_words(error);
}

// Limits of one kind in one group.
class LimitWriter {
 public:
  LimitWriter(const CgroupDirectories& groups, LimitKind kind, std::vector<LimitFailure>& failures)
      : group_(groups.of(controller_of(kind))), kind_(kind), failures_(failures) {}

  bool has_group() {
    if (group_) return true;
    auto controller = controller_of(kind_);
    failures_.push_back({kind_, fmt::format("the sandbox has no group of its own for the {} controller",
                                            name_of(controller, group_.version))});
    return false;
  }
  bool is_v1() const { return group_.version == HierarchyVersion::kV1; }
  bool has(const char* file) const { return ::faccessat(group_.directory.get(), file, F_OK, 0) == 0; }
  Result<void> try_write(const char* file, const std::string& text) {
    return write_group_file(group_, file, text);
  }
  bool write(const char* file, const std::string& text) {
    auto done = try_write(file, text);
    if (!done) fail(file, explain(done.error()));
    return done.has_value();
  }
  void fail(const char* file, const std::string& reason) {
    failures_.push_back({kind_, fmt::format("{} of {}: {}", file, group_.host_path, reason)});
  }
  void fail(std::string reason) { failures_.push_back({kind_, std::move(reason)}); }
  const GroupDirectory& group() const { return group_; }

 private:
  const GroupDirectory& group_;
  LimitKind kind_;
  std::vector<LimitFailure>& failures_;
};

// Nobody asked for the default, so nobody is told when it cannot be had.
void write_swap(LimitWriter& swap, const char* file, const std::string& text, const Limits& limits) {
  limits.memory_and_swap_bytes ? (void)swap.write(file, text) : (void)swap.try_write(file, text);
}

// v1 keeps memory <= memory and swap at every moment, so which of the two goes first depends on what is
// there.
void write_memory_v1(LimitWriter& memory, LimitWriter& swap, const Limits& limits, uint64_t total) {
  constexpr const char* kMemory = "memory.limit_in_bytes";
  constexpr const char* kTotal = "memory.memsw.limit_in_bytes";
  const bool counts_swap = memory.has(kTotal);
  if (!counts_swap && limits.memory_and_swap_bytes)
    swap.fail(kTotal, "the host does not count swap (swapaccount=1 on its kernel command line)");
  const std::string text = number_or(*limits.memory_bytes, "-1"), total_text = number_or(total, "-1");
  if (counts_swap && memory.try_write(kMemory, text)) {
    write_swap(swap, kTotal, total_text, limits);
    return;
  }
  if (counts_swap) (void)swap.try_write(kTotal, total_text);
  memory.write(kMemory, text);
}

void write_memory_v2(LimitWriter& memory, LimitWriter& swap, const Limits& limits, uint64_t total) {
  constexpr const char* kSwap = "memory.swap.max";
  memory.write("memory.max", number_or(*limits.memory_bytes, "max"));
  uint64_t swap_bytes = total == kUnlimited ? kUnlimited : total - *limits.memory_bytes;
  if (swap.has(kSwap))
    write_swap(swap, kSwap, number_or(swap_bytes, "max"), limits);
  else if (limits.memory_and_swap_bytes)
    swap.fail(kSwap, "the host does not count swap (swapaccount=1 on its kernel command line)");
}

void write_memory(const CgroupDirectories& groups, const Limits& limits,
                  std::vector<LimitFailure>& failures) {
  if (!limits.memory_bytes) return;
  LimitWriter memory(groups, LimitKind::kMemory, failures), swap(groups, LimitKind::kMemorySwap, failures);
  if (!memory.has_group()) {
    if (limits.memory_and_swap_bytes) (void)swap.has_group();
    return;
  }
  uint64_t twice = *limits.memory_bytes > kUnlimited / 2 ? kUnlimited : 2 * *limits.memory_bytes;
  uint64_t total = limits.memory_and_swap_bytes.value_or(twice);
  memory.is_v1() ? write_memory_v1(memory, swap, limits, total)
                 : write_memory_v2(memory, swap, limits, total);
}

void write_cpu(const CgroupDirectories& groups, const Limits& limits, std::vector<LimitFailure>& failures) {
  if (limits.cpu) {
    LimitWriter writer(groups, LimitKind::kCpus, failures);
    if (writer.has_group() && writer.is_v1()) {
      if (writer.write("cpu.cfs_period_us", fmt::format("{}", limits.cpu->period_us)))
        writer.write("cpu.cfs_quota_us", number_or(limits.cpu->quota_us, "-1"));
    } else if (writer.group()) {
      writer.write("cpu.max",
                   fmt::format("{} {}", number_or(limits.cpu->quota_us, "max"), limits.cpu->period_us));
    }
  }
  if (limits.cpu_weight) {
    LimitWriter writer(groups, LimitKind::kCpuWeight, failures);
    // The kernel's own ratio of the two scales (sched_weight_from_cgroup).
    constexpr unsigned kSharesOfDefault = 1024, kDefaultWeight = 100, kFewestShares = 2;
    unsigned shares = (*limits.cpu_weight * kSharesOfDefault + kDefaultWeight / 2) / kDefaultWeight;
    if (writer.has_group() && writer.is_v1())
      writer.write("cpu.shares", fmt::format("{}", std::max(shares, kFewestShares)));
    else if (writer.group())
      writer.write("cpu.weight", fmt::format("{}", *limits.cpu_weight));
  }
  if (!limits.cpus.empty()) {
    LimitWriter writer(groups, LimitKind::kCpuset, failures);
    if (writer.has_group()) writer.write("cpuset.cpus", vfs::format_cpu_list(limits.cpus));
  }
}

void write_io_limit(LimitWriter& writer, const IoLimit& limit) {
  struct Part {
    const char* file;  // v1
    const char* key;   // v2
    std::optional<uint64_t> value;
  };
  const std::array parts = {Part{"blkio.throttle.read_bps_device", "rbps", limit.read_bytes_per_s},
                            Part{"blkio.throttle.write_bps_device", "wbps", limit.write_bytes_per_s},
                            Part{"blkio.throttle.read_iops_device", "riops", limit.reads_per_s},
                            Part{"blkio.throttle.write_iops_device", "wiops", limit.writes_per_s}};
  std::string line = fmt::format("{}:{}", limit.major, limit.minor);
  if (writer.is_v1()) {
    for (const Part& part : parts)
      if (part.value && !writer.write(part.file, fmt::format("{} {}", line, number_or(*part.value, "0"))))
        return;
    return;
  }
  for (const Part& part : parts)
    if (part.value) line += fmt::format(" {}={}", part.key, number_or(*part.value, "max"));
  writer.write("io.max", line);
}

// Weights are looked at by the bfq scheduler only (and by io.cost, which an operator turns on).
bool some_disk_uses_bfq() {
  DIR* disks = ::opendir("/sys/block");
  if (disks == nullptr) return false;
  bool is_used = false;
  while (const dirent* disk = ::readdir(disks)) {
    auto scheduler = platform::read_host_file(fmt::format("/sys/block/{}/queue/scheduler", disk->d_name));
    auto size = platform::read_host_file(fmt::format("/sys/block/{}/size", disk->d_name));
    // A loop device without a file is none.
    is_used = is_used || (scheduler && scheduler->contains("[bfq]") && size && !size->starts_with("0"));
  }
  ::closedir(disks);
  return is_used;
}

bool uses_io_cost(const GroupDirectory& group) {
  auto text = read_group_file(ancestor_of(group, group.ancestor_count), "io.cost.qos");
  return text && text->contains("enable=1");
}

void write_io_weight(LimitWriter& writer, unsigned weight) {
  const char* file = writer.is_v1() ? "blkio.bfq.weight" : "io.bfq.weight";
  if (writer.has(file) && some_disk_uses_bfq()) {
    writer.write(file, fmt::format("{}", weight));
  } else if (!writer.is_v1() && writer.has("io.weight") && uses_io_cost(writer.group())) {
    // From 10..1000 to 1..10000 with 100 as it is.
    writer.write("io.weight", fmt::format("default {}", weight <= 100 ? weight : 100 + (weight - 100) * 11));
  } else {
    writer.fail(
        "no disk of the host uses the bfq scheduler, which alone looks at weights "
        "(/sys/block/DISK/queue/scheduler)");
  }
}

void write_io(const CgroupDirectories& groups, const Limits& limits, std::vector<LimitFailure>& failures) {
  if (!limits.io.empty()) {
    LimitWriter writer(groups, LimitKind::kIoMax, failures);
    if (writer.has_group())
      for (const IoLimit& limit : limits.io) write_io_limit(writer, limit);
  }
  if (limits.io_weight) {
    LimitWriter writer(groups, LimitKind::kIoWeight, failures);
    if (writer.has_group()) write_io_weight(writer, *limits.io_weight);
  }
}

}  // namespace

Controller controller_of(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMemory:
    case LimitKind::kMemorySwap:
      return Controller::kMemory;
    case LimitKind::kCpus:
    case LimitKind::kCpuWeight:
      return Controller::kCpu;
    case LimitKind::kCpuset:
      return Controller::kCpuset;
    case LimitKind::kPids:
      return Controller::kPids;
    case LimitKind::kIoMax:
    case LimitKind::kIoWeight:
      return Controller::kIo;
  }
  return Controller::kMemory;
}

std::vector<LimitFailure> write_limits(const CgroupDirectories& groups, const Limits& limits) {
  std::vector<LimitFailure> failures;
  write_memory(groups, limits, failures);
  write_cpu(groups, limits, failures);
  if (limits.pids) {
    LimitWriter writer(groups, LimitKind::kPids, failures);
    if (writer.has_group()) writer.write("pids.max", number_or(*limits.pids, "max"));
  }
  write_io(groups, limits, failures);
  return failures;
}

Result<std::string> read_group_file(const GroupDirectory& group, const std::string& name) {
  UniqueFd file(::openat(group.directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return last_error();
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    ssize_t count = TRY(host_result(::read(file.get(), chunk.data(), chunk.size())));
    if (count == 0) return text;
    text.append(chunk.data(), count);
  }
}

Result<void> write_group_file(const GroupDirectory& group, const std::string& name, std::string_view text) {
  UniqueFd file(::openat(group.directory.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return last_error();
  return host_status(::write(file.get(), text.data(), text.size()));
}

Result<uint64_t> read_group_number(const GroupDirectory& group, const std::string& name) {
  std::string text = TRY(read_group_file(group, name));
  if (text.starts_with("max")) return kUnlimited;
  auto number = leading_number<uint64_t>(text);
  if (!number) return err(ENODATA);
  return *number;
}

Result<uint64_t> read_group_key(const GroupDirectory& group, const std::string& name, std::string_view key) {
  std::string text = TRY(read_group_file(group, name));
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    line.remove_prefix(key.size() + 1);
    if (auto number = leading_number<uint64_t>(line)) return *number;
  }
  return err(ENODATA);
}

}  // namespace sandbox::cgroup
