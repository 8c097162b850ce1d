// Limits: their bounds, and what is written to which file of a v1 and of a v2 group.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "scratch_directory.h"
#include "sentry/cgroup/limit_check.h"
#include "sentry/cgroup/limit_files.h"

using namespace sandbox;
using namespace sandbox::cgroup;
using namespace sandbox::test;

namespace {

// Groups whose files are ordinary ones; what is written to them can be read back.
struct RecordedGroups {
  ScratchDirectory scratch;
  CgroupDirectories groups;

  RecordedGroups(HierarchyVersion version, const std::vector<std::string>& files) {
    for (const std::string& file : files) scratch.write(file, "");
    groups.version = version;
    for (Controller controller : kControllers)
      groups.of(controller) = {.directory = scratch.open(), .version = version, .host_path = "/group"};
  }
  std::string operator[](const std::string& file) const { return scratch.read(file); }
};

const Machine kMachine{
    .memory_bytes = 8ull << 30, .swap_bytes = 0, .cpus = {0, 1, 3}, .cpu_count = 4, .largest_pid = 32768};

Limits all_limits() {
  return {.memory_bytes = 64 << 20,
          .memory_and_swap_bytes = 96 << 20,
          .cpu = CpuQuota{.quota_us = 150'000},
          .cpus = {0, 1, 3},
          .cpu_weight = 50,
          .pids = 30,
          .io = {{.major = 8, .minor = 16, .read_bytes_per_s = 1000, .writes_per_s = kUnlimited}}};
}

}  // namespace

TEST_CASE("v1: each limit goes to its file in the kernel's form") {
  RecordedGroups group(HierarchyVersion::kV1,
                       {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.cfs_quota_us",
                        "cpu.cfs_period_us", "cpu.shares", "cpuset.cpus", "pids.max",
                        "blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"});
  CHECK(write_limits(group.groups, all_limits()).empty());
  CHECK(group["memory.limit_in_bytes"] == "67108864");
  CHECK(group["memory.memsw.limit_in_bytes"] == "100663296");
  CHECK(group["cpu.cfs_period_us"] == "100000");
  CHECK(group["cpu.cfs_quota_us"] == "150000");
  CHECK(group["cpu.shares"] == "512");
  CHECK(group["cpuset.cpus"] == "0-1,3");
  CHECK(group["pids.max"] == "30");
  CHECK(group["blkio.throttle.read_bps_device"] == "8:16 1000");
  CHECK(group["blkio.throttle.write_iops_device"] == "8:16 0");
}

TEST_CASE("v2: each limit goes to its file in the kernel's form; swap is what memory leaves of the sum") {
  RecordedGroups group(HierarchyVersion::kV2, {"memory.max", "memory.swap.max", "cpu.max", "cpu.weight",
                                               "cpuset.cpus", "pids.max", "io.max"});
  CHECK(write_limits(group.groups, all_limits()).empty());
  CHECK(group["memory.max"] == "67108864");
  CHECK(group["memory.swap.max"] == "33554432");
  CHECK(group["cpu.max"] == "150000 100000");
  CHECK(group["cpu.weight"] == "50");
  CHECK(group["cpuset.cpus"] == "0-1,3");
  CHECK(group["pids.max"] == "30");
  CHECK(group["io.max"] == "8:16 rbps=1000 wiops=max");
}

TEST_CASE("a limit can be lifted, in each version's word") {
  Limits none{.memory_bytes = kUnlimited, .cpu = CpuQuota{.quota_us = kUnlimited}, .pids = kUnlimited};
  RecordedGroups v1(HierarchyVersion::kV1, {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                                            "cpu.cfs_quota_us", "cpu.cfs_period_us", "pids.max"});
  CHECK(write_limits(v1.groups, none).empty());
  CHECK(v1["memory.limit_in_bytes"] == "-1");
  CHECK(v1["memory.memsw.limit_in_bytes"] == "-1");
  CHECK(v1["cpu.cfs_quota_us"] == "-1");
  CHECK(v1["pids.max"] == "max");
  RecordedGroups v2(HierarchyVersion::kV2, {"memory.max", "memory.swap.max", "cpu.max", "pids.max"});
  CHECK(write_limits(v2.groups, none).empty());
  CHECK(v2["memory.max"] == "max");
  CHECK(v2["memory.swap.max"] == "max");
  CHECK(v2["cpu.max"] == "max 100000");
}

TEST_CASE("without a limit for swap it is twice the memory, where swap is counted") {
  Limits memory{.memory_bytes = 1 << 20};
  RecordedGroups counting(HierarchyVersion::kV1, {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"});
  CHECK(write_limits(counting.groups, memory).empty());
  CHECK(counting["memory.memsw.limit_in_bytes"] == "2097152");
  RecordedGroups blind(HierarchyVersion::kV1, {"memory.limit_in_bytes"});
  CHECK(write_limits(blind.groups, memory).empty());
  CHECK(blind["memory.limit_in_bytes"] == "1048576");

  memory.memory_and_swap_bytes = 1 << 20;
  for (HierarchyVersion version : {HierarchyVersion::kV1, HierarchyVersion::kV2}) {
    RecordedGroups without(version, {"memory.limit_in_bytes", "memory.max"});
    auto failures = write_limits(without.groups, memory);
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].kind == LimitKind::kMemorySwap);
    CHECK_THAT(failures[0].reason, Catch::Contains("swapaccount=1"));
  }
}

TEST_CASE("what cannot be set is told for each limit, and the others are set") {
  RecordedGroups group(HierarchyVersion::kV2, {"pids.max"});
  group.groups.of(Controller::kMemory) = {};
  auto failures = write_limits(group.groups, {.memory_bytes = 1 << 20, .cpu_weight = 7, .pids = 9});
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].kind == LimitKind::kMemory);
  CHECK_THAT(failures[0].reason, Catch::Contains("no group of its own"));
  CHECK(failures[1].kind == LimitKind::kCpuWeight);
  CHECK_THAT(failures[1].reason, Catch::Contains("cpu.weight") && Catch::Contains("ENOENT"));
  CHECK(group["pids.max"] == "9");
}

TEST_CASE("limits within the machine are accepted, at their bounds as well") {
  CHECK(check_limits({}, kMachine));
  CHECK(check_limits(all_limits(), kMachine));
  CHECK(check_limits({.memory_bytes = kSmallestMemory}, kMachine));
  CHECK(check_limits({.memory_bytes = kMachine.memory_bytes, .memory_and_swap_bytes = kUnlimited}, kMachine));
  CHECK(check_limits({.memory_bytes = 4 << 20, .memory_and_swap_bytes = 4 << 20}, kMachine));
  CHECK(check_limits({.cpu = CpuQuota{.quota_us = 1000}}, kMachine));
  CHECK(check_limits({.cpu = CpuQuota{.quota_us = 400'000}}, kMachine));
  CHECK(check_limits(
      {.memory_bytes = kUnlimited, .cpu = CpuQuota{.quota_us = kUnlimited}, .pids = kUnlimited}, kMachine));
}

TEST_CASE("limits that make no sense name the option, the reason and a remedy") {
  struct Case {
    Limits limits;
    const char *option, *reason;
  };
  const Case cases[] = {
      {{.memory_bytes = 1}, "--memory", "so little"},
      {{.memory_bytes = kMachine.memory_bytes + 1}, "--memory", "8192 MiB only"},
      {{.memory_bytes = 4 << 20, .memory_and_swap_bytes = 3 << 20}, "--memory-swap", "smaller"},
      {{.memory_and_swap_bytes = 3 << 20}, "--memory-swap", "not given"},
      {{.cpu = CpuQuota{.quota_us = 999}}, "--cpus", "1 ms"},
      {{.cpu = CpuQuota{.quota_us = 400'001}}, "--cpus", "4 CPUs only"},
      {{.cpus = {1, 2}}, "--cpuset-cpus", "no CPU 2"},
      {{.cpu_weight = 0}, "--cpu-weight", "1 to 10000"},
      {{.cpu_weight = 10001}, "--cpu-weight", "1 to 10000"},
      {{.pids = 0}, "--pids-limit", "itself"},
      {{.pids = 32769}, "--pids-limit", "32768"},
      {{.io_weight = 9}, "--blkio-weight", "10 to 1000"},
      {{.io_weight = 1001}, "--blkio-weight", "10 to 1000"},
  };
  for (const Case& one : cases) {
    auto checked = check_limits(one.limits, kMachine);
    REQUIRE(!checked);
    CHECK_THAT(checked.error().doing, Catch::Contains(one.option));
    CHECK_THAT(checked.error().reason, Catch::Contains(one.reason));
    CHECK(!checked.error().advice.empty());
    CHECK(checked.error().exit_code == 125);
  }
}

TEST_CASE("files of a group that hold nonsense yield errors, not numbers") {
  ScratchDirectory scratch;
  GroupDirectory group{.directory = scratch.open()};
  for (const char* text : {"", "\n", "abc", "-5\n", "oom_kill\n", "oom_killed 5\n"}) {
    scratch.write("file", text);
    CHECK(!read_group_number(group, "file"));
    CHECK(!read_group_key(group, "file", "oom_kill"));
  }
  scratch.write("file", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
  CHECK(read_group_key(group, "file", "oom_kill") == 7);
  scratch.write("file", "max\n");
  CHECK(read_group_number(group, "file") == kUnlimited);
  CHECK(read_group_number(group, "gone") == err(ENOENT));
}
