// UsageReader over recorded trees of control groups, v1 and v2, and over files that vanish or are cut off.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "scratch_directory.h"
#include "sentry/cgroup/usage.h"

using namespace sandbox;
using namespace sandbox::cgroup;
using namespace sandbox::test;

namespace {

using Swap = UsageReader::Swap;

constexpr uint64_t kMebibyte = 1 << 20;

// As Linux 6.18 prints it, shortened where nothing is read.
constexpr const char* kV2Statistics =
    "anon 20971520\nfile 41943040\nkernel 3145728\nkernel_stack 65536\npagetables 131072\nsec_pagetables 0\n"
    "percpu 2048\nsock 0\nvmalloc 4096\nshmem 1048576\nzswap 0\nzswapped 0\nfile_mapped 8388608\n"
    "file_dirty 12288\nfile_writeback 4096\nswapcached 0\nanon_thp 2097152\nfile_thp 0\nshmem_thp 0\n"
    "inactive_anon 20000000\nactive_anon 971520\ninactive_file 30000000\nactive_file 10943040\nunevictable "
    "0\n"
    "slab_reclaimable 2000000\nslab_unreclaimable 1000000\nslab 3000000\nworkingset_refault_anon 0\n"
    "workingset_refault_file 7\npgfault 1234\npgmajfault 5\n";
constexpr const char* kV1Statistics =
    "cache 1\nrss 2\nrss_huge 3\nshmem 4\nmapped_file 5\ndirty 6\nwriteback 7\n"
    "hierarchical_memory_limit 268435456\nhierarchical_memsw_limit 9223372036854771712\n"
    "total_cache 41943040\ntotal_rss 20971520\ntotal_rss_huge 2097152\ntotal_shmem 1048576\n"
    "total_mapped_file 8388608\ntotal_dirty 12288\ntotal_writeback 4096\ntotal_pgfault 1234\n"
    "total_inactive_file 30000000\ntotal_active_file 10943040\n";

struct V2Tree {
  ScratchDirectory scratch;

  V2Tree() {
    scratch.make_directory("cg/outer/box");
    for (const char* group : {"cg/", "cg/outer/", "cg/outer/box/"}) {
      write(group, "cgroup.controllers", "cpuset cpu io memory pids\n");
      write(group, "cgroup.procs", "");
      write(group, "cpuset.cpus.effective", "0,2-3\n");
      write(group, "cpu.stat",
            "usage_usec 3500000\nuser_usec 2000000\nsystem_usec 1500000\nnice_usec 500000\nnr_periods 0\n");
    }
    for (const char* group : {"cg/outer/", "cg/outer/box/"}) {
      write(group, "cgroup.events", "populated 1\nfrozen 0\n");
      write(group, "memory.max", "max\n");
      write(group, "memory.swap.max", "max\n");
      write(group, "memory.current", "67108864\n");
      write(group, "memory.swap.current", "4096\n");
      write(group, "memory.stat", kV2Statistics);
      write(group, "cpu.max", "max 100000\n");
      write(group, "pids.max", "max\n");
      write(group, "pids.current", "7\n");
      write(group, "io.stat",
            "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
            "8:16 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=1024 dios=1\n");
    }
  }
  // In place, as the kernel's files change: a reader keeps its descriptor.
  void write(const std::string& group, const std::string& file, const std::string& text) {
    scratch.write(group + file, text);
  }
  CgroupDirectories directories() {
    return discover_cgroups({.prefix = scratch.path(),
                             .membership = "0::/outer/box\n",
                             .mounts = "36 31 0:33 / /cg rw,relatime - cgroup2 cgroup2 rw\n"});
  }
};

struct V1Tree {
  ScratchDirectory scratch;

  V1Tree() {
    for (const char* controller : {"memory", "cpu", "cpuacct", "cpuset", "pids", "blkio"})
      scratch.make_directory(fmt::format("cg/{}/box", controller));
    write("memory/memory.limit_in_bytes", "9223372036854771712\n");
    write("memory/box/memory.limit_in_bytes", "536870912\n");
    write("memory/box/memory.memsw.limit_in_bytes", "805306368\n");
    write("memory/box/memory.usage_in_bytes", "67108864\n");
    write("memory/box/memory.memsw.usage_in_bytes", "67112960\n");
    write("memory/box/memory.stat", kV1Statistics);
    write("cpu/cpu.cfs_quota_us", "-1\n");
    write("cpu/cpu.cfs_period_us", "100000\n");
    write("cpu/box/cpu.cfs_quota_us", "150000\n");
    write("cpu/box/cpu.cfs_period_us", "100000\n");
    write("cpuacct/box/cpuacct.stat", "user 200\nsystem 150\n");
    write("cpuacct/box/cpuacct.usage_percpu", "1000 2000 0 500 \n");
    write("cpuset/box/cpuset.cpus", "0-3\n");
    write("cpuset/box/cpuset.effective_cpus", "1,3\n");
    write("pids/box/pids.max", "100\n");
    write("pids/box/pids.current", "3\n");
    write(
        "blkio/box/blkio.throttle.io_service_bytes_recursive",
        "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\n254:0 Discard 0\n254:0 Total 12288\nTotal 12288\n");
    write("blkio/box/blkio.throttle.io_serviced_recursive", "254:0 Read 1\n254:0 Write 2\nTotal 3\n");
  }
  void write(const std::string& file, const std::string& text) { scratch.write("cg/" + file, text); }
  CgroupDirectories directories() {
    std::string membership, mounts;
    int number = 1;
    for (const char* controller : {"memory", "cpu", "cpuacct", "cpuset", "pids", "blkio"}) {
      membership += fmt::format("{}:{}:/box\n", number, controller);
      mounts += fmt::format("{} 31 0:33 / /cg/{} rw - cgroup cgroup rw,{}\n", 36 + number++, controller,
                            controller);
    }
    return discover_cgroups({.prefix = scratch.path(), .membership = membership, .mounts = mounts});
  }
};

// What a limit above the group's own may be old.
void let_ancestors_age() { std::this_thread::sleep_for(std::chrono::milliseconds(11)); }

UsageReader::MemoryDetails details_of(UsageReader& reader, Swap swap) {
  return reader.memory_details(reader.memory_limits(swap), swap).value();
}

}  // namespace

TEST_CASE("version 2: numbers of the group, limits of the way up") {
  V2Tree tree;
  UsageReader reader(tree.directories());
  REQUIRE(reader.has_memory());
  REQUIRE(reader.has_io());
  MemoryUse use = reader.memory(Swap::kRead).value();
  CHECK(use.limit == kUnlimited);
  CHECK(use.used == 64 * kMebibyte);
  CHECK(use.swap_limit == kUnlimited);
  CHECK(use.swap_used == 4096);
  CHECK(!reader.cpu_quota());

  tree.write("cg/outer/box/", "memory.max", "536870912\n");
  CHECK(reader.memory(Swap::kRead)->limit == 512 * kMebibyte);
  tree.write("cg/outer/", "memory.max", "268435456\n");
  tree.write("cg/outer/", "memory.swap.max", "0\n");
  let_ancestors_age();
  CHECK(reader.memory(Swap::kRead)->limit == 256 * kMebibyte);
  CHECK(reader.memory(Swap::kRead)->swap_limit == 0);

  tree.write("cg/outer/box/", "cpu.max", "150000 100000\n");
  CHECK(reader.cpu_quota()->quota_us == 150000);
  tree.write("cg/outer/", "cpu.max", "10000 20000\n");
  let_ancestors_age();
  CHECK(reader.cpu_quota()->quota_us == 10000);
  CHECK(reader.cpu_quota()->period_us == 20000);

  CHECK(reader.cpu()->user_ns == 2'000'000'000);
  CHECK(reader.cpu()->system_ns == 1'500'000'000);
  CHECK(reader.cpu()->nice_ns == 500'000'000);
  std::array<uint64_t, 4> per_cpu{};
  CHECK(!reader.cpu_by_cpu(per_cpu));
  CHECK(reader.cpus().value() == std::vector<int>{0, 2, 3});
  CHECK(reader.pids()->current == 7);
  CHECK(reader.pids()->limit == kUnlimited);
  auto io = reader.io().value();
  REQUIRE(io.size() == 2);
  CHECK(io[0].major == 254);
  CHECK(io[0].write_bytes == 8192);
  CHECK(io[0].writes == 2);
  CHECK(io[1].discard_bytes == 1024);
}

TEST_CASE("version 2: memory.stat, read again when the use changes") {
  V2Tree tree;
  UsageReader reader(tree.directories());
  MemoryStatistics statistics = details_of(reader, Swap::kSkip).statistics;
  CHECK(statistics[MemoryField::kAnon] == 20971520);
  CHECK(statistics[MemoryField::kFile] == 41943040);
  CHECK(statistics[MemoryField::kMapped] == 8388608);
  CHECK(statistics[MemoryField::kDirty] == 12288);
  CHECK(statistics[MemoryField::kWriteback] == 4096);
  CHECK(statistics[MemoryField::kAnonHuge] == 2097152);
  CHECK(statistics[MemoryField::kShmem] == 1048576);
  CHECK(statistics[MemoryField::kFaults] == 1234);
  CHECK(statistics[MemoryField::kRefaultFile] == 7);
  tree.write("cg/outer/box/", "memory.stat", "anon 4096\nfile 8192\n");
  tree.write("cg/outer/box/", "memory.current", "67112960\n");
  statistics = details_of(reader, Swap::kSkip).statistics;
  CHECK(statistics[MemoryField::kAnon] == 4096);
  CHECK(statistics[MemoryField::kFile] == 8192);
  CHECK(statistics[MemoryField::kMapped] == 0);
  // Other lines where known ones were, and a number that was cut off.
  tree.write("cg/outer/box/", "memory.stat", "file 4096\nanon 8192\nfile_mapped 12");
  tree.write("cg/outer/box/", "memory.current", "67117056\n");
  statistics = details_of(reader, Swap::kSkip).statistics;
  CHECK(statistics[MemoryField::kAnon] == 8192);
  CHECK(statistics[MemoryField::kFile] == 4096);
  CHECK(statistics[MemoryField::kMapped] == 0);
}

TEST_CASE("version 1: numbers of the group, limits of the way up and of what is hidden above") {
  V1Tree tree;
  UsageReader reader(tree.directories());
  auto details = details_of(reader, Swap::kRead);
  // hierarchical_memory_limit is smaller than every limit that can be seen.
  CHECK(details.use.limit == 256 * kMebibyte);
  CHECK(details.use.used == 64 * kMebibyte);
  CHECK(details.use.swap_limit == 512 * kMebibyte);
  CHECK(details.use.swap_used == 4096);
  CHECK(details.statistics[MemoryField::kAnon] == 20971520);
  CHECK(details.statistics[MemoryField::kMapped] == 8388608);
  CHECK(details.statistics[MemoryField::kAnonHuge] == 2097152);
  CHECK(reader.memory(Swap::kRead)->limit == 256 * kMebibyte);
  CHECK(reader.memory(Swap::kRead)->swap_limit == 512 * kMebibyte);
  // An update counts at once.
  tree.write("memory/box/memory.limit_in_bytes", "134217728\n");
  CHECK(reader.memory(Swap::kRead)->limit == 128 * kMebibyte);
  CHECK(reader.memory(Swap::kRead)->swap_limit == 640 * kMebibyte);

  CHECK(reader.cpu_quota()->quota_us == 150000);
  CHECK(reader.cpu()->user_ns == 2'000'000'000);
  CHECK(reader.cpu()->system_ns == 1'500'000'000);
  std::array<uint64_t, 6> per_cpu{};
  REQUIRE(reader.cpu_by_cpu(per_cpu));
  CHECK(per_cpu == std::array<uint64_t, 6>{1000, 2000, 0, 500, 0, 0});
  CHECK(reader.cpus().value() == std::vector<int>{1, 3});
  CHECK(reader.pids()->limit == 100);
  auto io = reader.io().value();
  REQUIRE(io.size() == 1);
  CHECK(io[0].read_bytes == 4096);
  CHECK(io[0].writes == 2);
}

TEST_CASE("a limit that cannot be read any more stays what it was") {
  V2Tree tree;
  tree.write("cg/outer/box/", "memory.max", "536870912\n");
  tree.write("cg/outer/box/", "cpu.max", "150000 100000\n");
  UsageReader reader(tree.directories());
  CHECK(reader.memory(Swap::kRead)->limit == 512 * kMebibyte);
  CHECK(reader.cpu_quota()->quota_us == 150000);
  for (const char* nonsense : {"", "\n", "lots\n", "12 potatoes\n", "-3\n"}) {
    INFO("now \"" << nonsense << '"');
    tree.write("cg/outer/box/", "memory.max", nonsense);
    tree.write("cg/outer/box/", "cpu.max", nonsense);
    CHECK(reader.memory(Swap::kRead)->limit == 512 * kMebibyte);
    CHECK(reader.cpu_quota()->quota_us == 150000);
  }
  // Nor does what is in use look like less.
  for (const char* nonsense : {"", "max\n"}) {
    tree.write("cg/outer/box/", "memory.current", nonsense);
    CHECK(reader.memory(Swap::kRead)->used == 64 * kMebibyte);
  }
  std::filesystem::remove_all(tree.scratch / "cg/outer/box");
  CHECK(reader.cpu_quota()->quota_us == 150000);
  // "max" is no accident.
  V2Tree other;
  other.write("cg/outer/box/", "memory.max", "536870912\n");
  UsageReader live(other.directories());
  CHECK(live.memory(Swap::kRead)->limit == 512 * kMebibyte);
  other.write("cg/outer/box/", "memory.max", "max\n");
  CHECK(live.memory(Swap::kRead)->limit == kUnlimited);
}

TEST_CASE("a host without control groups counts nothing and limits nothing") {
  UsageReader reader(discover_cgroups({.prefix = "/", .membership = "", .mounts = ""}));
  CHECK(!reader.has_memory());
  CHECK(!reader.has_cpu());
  CHECK(!reader.has_io());
  CHECK(!reader.memory(Swap::kRead));
  CHECK(!reader.cpu());
  CHECK(!reader.cpus());
  CHECK(!reader.cpu_quota());
  CHECK(!reader.pids());
  CHECK(!reader.open_pressure("cpu", O_RDONLY));
}

TEST_CASE("limits that nobody enforces are shown as if they were, with nothing used of memory") {
  Limits asked{.memory_bytes = 64 << 20,
               .memory_and_swap_bytes = 96 << 20,
               .cpu = CpuQuota{.quota_us = 50'000},
               .pids = 30};
  UsageReader reader(CgroupDirectories{}, asked);
  CHECK(reader.has_memory());
  auto memory = reader.memory(UsageReader::Swap::kRead);
  REQUIRE(memory);
  CHECK(memory->limit == 64 << 20);
  CHECK(memory->used == 0);
  CHECK(memory->swap_limit == 32 << 20);
  CHECK(memory->swap_used == 0);
  auto quota = reader.cpu_quota();
  REQUIRE(quota);
  CHECK(quota->quota_us == 50'000);
  CHECK(quota->period_us == 100'000);
}
