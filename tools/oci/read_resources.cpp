// linux.resources of config.json as the files of control groups, v1 and v2.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

namespace {

using Missing = GroupSetting::Missing;

// "-1" is no limit in either version's words.
std::string v1_limit(int64_t number) { return number < 0 ? "-1" : std::to_string(number); }
std::string v2_limit(int64_t number) { return number < 0 ? "max" : std::to_string(number); }

// How other runtimes translate, so that a container has the same part of the machine everywhere.
uint64_t weight_of_shares(uint64_t shares) {
  constexpr uint64_t kLeast = 2, kMost = 262144;
  const uint64_t bounded = std::clamp(shares, kLeast, kMost);
  return 1 + (bounded - kLeast) * 9999 / (kMost - kLeast);
}
uint64_t io_weight_of(uint64_t blkio_weight) {
  constexpr uint64_t kLeast = 10, kMost = 1000;
  return 1 + (std::clamp(blkio_weight, kLeast, kMost) - kLeast) * 9999 / (kMost - kLeast);
}

class Settings {
 public:
  // A text of "" for a version that has no such thing.
  void add(const JsonNode& node, std::string controller, std::string v1_file, std::string v1_text,
           std::string v2_file, std::string v2_text, Missing missing = Missing::kFail) {
    list_.push_back({.name = node.name(),
                     .controller = std::move(controller),
                     .v1_file = std::move(v1_file),
                     .v1_text = std::move(v1_text),
                     .v2_file = std::move(v2_file),
                     .v2_text = std::move(v2_text),
                     .missing = missing});
  }
  std::vector<GroupSetting> take() { return std::move(list_); }

 private:
  std::vector<GroupSetting> list_;
};

// v2 counts swap alone, so that it has to know both; v1 counts memory and swap together.
void read_swap(const JsonNode& memory, Settings& settings) {
  const JsonNode swap = memory["swap"], limit = memory["limit"];
  if (!swap || swap.number() == 0) return;
  const int64_t both = swap.number();
  if (both > 0 && limit && both < limit.number()) swap.fail("it is less than memory.limit");
  const int64_t alone = both < 0 ? -1 : both - limit.number();
  const char* v2_file = both > 0 && !limit ? "" : "memory.swap.max";
  settings.add(swap, "memory", "memory.memsw.limit_in_bytes", v1_limit(both), v2_file, v2_limit(alone));
}

void read_memory(const JsonNode& memory, Settings& settings) {
  if (const JsonNode limit = memory["limit"]; limit && limit.number() != 0)
    settings.add(limit, "memory", "memory.limit_in_bytes", v1_limit(limit.number()), "memory.max",
                 v2_limit(limit.number()));
  read_swap(memory, settings);
  if (const JsonNode low = memory["reservation"]; low && low.number() != 0)
    settings.add(low, "memory", "memory.soft_limit_in_bytes", v1_limit(low.number()), "memory.low",
                 v2_limit(low.number()));
  // The kernel has ignored it since 5.4.
  if (const JsonNode kernel = memory["kernel"]; kernel && kernel.number() != 0)
    settings.add(kernel, "memory", "memory.kmem.limit_in_bytes", v1_limit(kernel.number()), "", "",
                 Missing::kSkip);
  if (const JsonNode tcp = memory["kernelTCP"]; tcp && tcp.number() != 0)
    settings.add(tcp, "memory", "memory.kmem.tcp.limit_in_bytes", v1_limit(tcp.number()), "", "");
  if (const JsonNode swappiness = memory["swappiness"])
    settings.add(swappiness, "memory", "memory.swappiness", std::to_string(swappiness.number_between(0, 100)),
                 "", "");
  if (const JsonNode disable = memory["disableOOMKiller"]; disable.is_true())
    settings.add(disable, "memory", "memory.oom_control", "1", "", "");
  (void)memory["useHierarchy"].is_true();       // the only way there is since Linux 5.11
  (void)memory["checkBeforeUpdate"].is_true();  // the kernel refuses a limit below the use (v1)
}

void read_cpu_time(const JsonNode& cpu, Settings& settings) {
  const JsonNode quota = cpu["quota"], period = cpu["period"], burst = cpu["burst"];
  constexpr uint64_t kPeriod_us = 100000;
  const bool has_period = period && period.unsigned_number() != 0;
  const bool has_quota = quota && quota.number() != 0;
  const uint64_t period_us = has_period ? period.unsigned_number() : kPeriod_us;
  if (has_period)
    settings.add(period, "cpu", "cpu.cfs_period_us", std::to_string(period_us), "cpu.max",
                 fmt::format("{} {}", has_quota ? v2_limit(quota.number()) : "max", period_us));
  if (has_quota)
    settings.add(quota, "cpu", "cpu.cfs_quota_us", v1_limit(quota.number()), "cpu.max",
                 fmt::format("{} {}", v2_limit(quota.number()), period_us));
  if (burst && has_quota && quota.number() > 0 &&
      burst.unsigned_number() > static_cast<uint64_t>(quota.number()))
    burst.fail("it is larger than the quota");
  if (burst)
    settings.add(burst, "cpu", "cpu.cfs_burst_us", std::to_string(burst.unsigned_number()), "cpu.max.burst",
                 std::to_string(burst.unsigned_number()));
}

void read_cpu(const JsonNode& cpu, Settings& settings) {
  if (const JsonNode shares = cpu["shares"]; shares && shares.unsigned_number() != 0)
    settings.add(shares, "cpu", "cpu.shares", std::to_string(shares.unsigned_number()), "cpu.weight",
                 std::to_string(weight_of_shares(shares.unsigned_number())));
  read_cpu_time(cpu, settings);
  if (const JsonNode idle = cpu["idle"])
    settings.add(idle, "cpu", "cpu.idle", std::to_string(idle.number_between(0, 1)), "cpu.idle",
                 std::to_string(idle.number_between(0, 1)));
  if (const JsonNode runtime = cpu["realtimePeriod"]; runtime && runtime.unsigned_number() != 0)
    settings.add(runtime, "cpu", "cpu.rt_period_us", std::to_string(runtime.unsigned_number()), "", "");
  if (const JsonNode runtime = cpu["realtimeRuntime"]; runtime && runtime.number() != 0)
    settings.add(runtime, "cpu", "cpu.rt_runtime_us", std::to_string(runtime.number()), "", "");
  for (const auto& [key, file] : {std::pair{"cpus", "cpuset.cpus"}, {"mems", "cpuset.mems"}})
    if (const JsonNode list = cpu[key]; !list.text().empty())
      settings.add(list, "cpuset", file, list.text(), file, list.text());
}

std::string device_number(const JsonNode& device) {
  return fmt::format("{}:{}", device["major"].number_between(0, UINT32_MAX),
                     device["minor"].number_between(0, UINT32_MAX));
}

void read_block_io(const JsonNode& io, Settings& settings) {
  if (const JsonNode weight = io["weight"]; weight && weight.unsigned_number() != 0)
    settings.add(weight, "blkio", "blkio.bfq.weight", std::to_string(weight.unsigned_number()), "io.weight",
                 std::to_string(io_weight_of(weight.unsigned_number())));
  io["leafWeight"].refuse("the kernel has no such limit any more");
  for (const JsonNode& device : io["weightDevice"].items()) {
    const std::string number = device_number(device);
    const uint64_t weight = device["weight"].unsigned_number();
    settings.add(device, "blkio", "blkio.bfq.weight_device", fmt::format("{} {}", number, weight),
                 "io.weight", fmt::format("{} {}", number, io_weight_of(weight)));
  }
  struct Throttle {
    const char *key, *v1_file, *v2_word;
  };
  for (const Throttle& throttle :
       {Throttle{"throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"},
        Throttle{"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"},
        Throttle{"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"},
        Throttle{"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"}})
    for (const JsonNode& device : io[throttle.key].items()) {
      const std::string number = device_number(device);
      const uint64_t rate = device["rate"].unsigned_number();
      settings.add(device, "blkio", throttle.v1_file, fmt::format("{} {}", number, rate), "io.max",
                   fmt::format("{} {}={}", number, throttle.v2_word, rate));
    }
}

// A file's name: nothing that leads elsewhere.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.find('/') == name.npos && name != "." && name != "..";
}

// The file is the same in both versions.
void read_rdma(const JsonNode& rdma, Settings& settings) {
  if (!rdma) return;
  if (!rdma.value().is_object()) return rdma.fail("it is no object");
  for (const auto& [name, _] : rdma.value().items()) {
    const JsonNode device = rdma[name.c_str()];
    std::string text = name;
    for (auto [key, word] : {std::pair{"hcaHandles", "hca_handle"}, {"hcaObjects", "hca_object"}})
      if (device[key]) text += fmt::format(" {}={}", word, device[key].unsigned_number());
    if (text == name) device.fail("it has neither hcaHandles nor hcaObjects");
    settings.add(device, "rdma", "rdma.max", text, "rdma.max", text);
  }
}

void read_rest(const JsonNode& resources, Settings& settings) {
  if (const JsonNode limit = resources["pids"]["limit"]; limit && limit.number() != 0)
    settings.add(limit, "pids", "pids.max", v2_limit(limit.number()), "pids.max", v2_limit(limit.number()));
  for (const JsonNode& page : resources["hugepageLimits"].items()) {
    const std::string size = page["pageSize"].text(), limit = std::to_string(page["limit"].unsigned_number());
    if (!is_file_name(size)) page["pageSize"].fail("it is no size");
    settings.add(page, "hugetlb", fmt::format("hugetlb.{}.limit_in_bytes", size), limit,
                 fmt::format("hugetlb.{}.max", size), limit);
  }
  const JsonNode network = resources["network"];
  if (const JsonNode id = network["classID"]; id && id.unsigned_number() != 0)
    settings.add(id, "net_cls", "net_cls.classid", std::to_string(id.unsigned_number()), "", "");
  for (const JsonNode& priority : network["priorities"].items())
    settings.add(priority, "net_prio", "net_prio.ifpriomap",
                 fmt::format("{} {}", priority["name"].text(), priority["priority"].unsigned_number()), "",
                 "");
  read_rdma(resources["rdma"], settings);
  for (const auto& [file, text] : resources["unified"].text_map()) {
    const JsonNode node = resources["unified"];
    if (!is_file_name(file) || file.starts_with("cgroup."))
      node.fail(fmt::format("`{}` is no limit of a control group", file));
    settings.add(node, file.substr(0, file.find('.')), "", "", file, text);
  }
}

// Those that every container may use, whatever its rules say: what runtimes add to them.
std::vector<vfs::DeviceRule> standard_rules() {
  constexpr unsigned kMemory = 1, kTerminals = 5, kSlaves = 136;
  std::vector<vfs::DeviceRule> rules;
  auto allow = [&](unsigned major, std::optional<unsigned> minor) {
    rules.push_back({.verdict = vfs::DeviceRule::Verdict::kAllow,
                     .type = S_IFCHR,
                     .major = major,
                     .minor = minor,
                     .access = R_OK | W_OK});
  };
  for (unsigned minor : {3, 5, 7, 8, 9}) allow(kMemory, minor);  // null, zero, full, random, urandom
  for (unsigned minor : {0, 1, 2}) allow(kTerminals, minor);     // tty, console, ptmx
  allow(kSlaves, std::nullopt);
  return rules;
}

int read_access(const JsonNode& node) {
  if (!node) return R_OK | W_OK;
  int access = 0;
  for (char letter : node.text()) {
    if (letter == 'r')
      access |= R_OK;
    else if (letter == 'w')
      access |= W_OK;
    else if (letter != 'm')  // no container makes devices
      node.fail(fmt::format("`{}` is none of r, w and m", letter));
  }
  return access;
}

}  // namespace

vfs::DeviceRules read_device_rules(const JsonNode& devices) {
  std::vector<vfs::DeviceRule> rules;
  for (const JsonNode& item : devices.items()) {
    vfs::DeviceRule rule{.access = read_access(item["access"])};
    if (!item["allow"]) item["allow"].fail("it is missing");
    rule.verdict =
        item["allow"].is_true() ? vfs::DeviceRule::Verdict::kAllow : vfs::DeviceRule::Verdict::kDeny;
    const std::string type = item["type"].text("a");
    if (type == "c" || type == "u")
      rule.type = S_IFCHR;
    else if (type == "b")
      rule.type = S_IFBLK;
    else if (type != "a" && !type.empty())
      item["type"].fail(fmt::format("`{}` is none of a, b, c and u", type));
    // -1 is another way of saying any.
    for (auto [key, number] : {std::pair{"major", &rule.major}, {"minor", &rule.minor}})
      if (item[key] && item[key].number() != -1)
        *number = static_cast<unsigned>(item[key].number_between(0, UINT32_MAX));
    rules.push_back(rule);
  }
  std::ranges::copy(standard_rules(), std::back_inserter(rules));
  return vfs::DeviceRules(std::move(rules));
}

std::vector<GroupSetting> read_resources(const JsonNode& resources) {
  Settings settings;
  read_memory(resources["memory"], settings);
  read_cpu(resources["cpu"], settings);
  read_block_io(resources["blockIO"], settings);
  read_rest(resources, settings);
  return settings.take();
}

}  // namespace sandbox::tools::oci
