// What is computed for the workload: CPU histories, load averages, and memory of the size of a limit.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <ctime>

#include "sentry/resources/cpu_history.h"
#include "sentry/resources/group_memory.h"
#include "sentry/resources/load_average.h"
#include "sentry/resources/task_sampler.h"

using namespace sandbox;
using cgroup::CpuQuota;
using cgroup::CpuUse;
using cgroup::MemoryField;
using cgroup::MemoryStatistics;
using cgroup::MemoryUse;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
using Look = CpuHistory::Look;

// Looks at a group once a second.
struct Group {
  CpuHistory history;
  Look look;
  std::vector<uint64_t> shares;
  std::vector<int> shown{0, 1};

  explicit Group(Look::Shares kind) {
    look.kind = kind;
    look.use = {.user_ns = 500 * kSecond, .system_ns = 300 * kSecond};
    shares = {400 * kSecond, 300 * kSecond, 100 * kSecond};
    advance(0, 0, {});
  }
  // `more`: what each CPU did in that second.
  void advance(uint64_t user_ns, uint64_t system_ns, std::vector<uint64_t> more) {
    look.now_ns += kSecond;
    look.use.user_ns += user_ns;
    look.use.system_ns += system_ns;
    for (size_t i = 0; i < more.size(); ++i) shares[i] += more[i];
    look.shares = shares;
    look.shown = shown;
    history.advance(look);
  }
};

uint64_t used(const CpuHistory::Counters& counters) {
  return counters.user_ns + counters.nice_ns + counters.system_ns;
}

// User, nice and system time are rounded each.
constexpr uint64_t kRounding = 3;
bool is_about(uint64_t have, uint64_t want) { return have + kRounding >= want && have <= want + kRounding; }

}  // namespace

TEST_CASE("counting starts when the sandbox does") {
  Group group(Look::Shares::kOwn);
  CHECK(used(group.history.total()) == 0);
  CHECK(group.history.total().idle_ns == 0);
}

TEST_CASE("version 1: each CPU gets what it did, and what was done elsewhere goes where there is room") {
  Group group(Look::Shares::kOwn);
  group.advance(kSecond / 2, kSecond / 4, {kSecond / 2, kSecond / 4, 0});
  CHECK(is_about(used(group.history.of(0)), kSecond / 2));
  CHECK(is_about(used(group.history.of(1)), kSecond / 4));
  CHECK(group.history.of(0).idle_ns == kSecond / 2);
  CHECK(group.history.total().user_ns == kSecond / 2);
  CHECK(group.history.total().system_ns == kSecond / 4);
  // All of it on a CPU that is not shown.
  group.advance(kSecond, 0, {0, 0, kSecond});
  CHECK(used(group.history.total()) == kSecond / 4 * 7);
  CHECK(used(group.history.of(0)) <= 2 * kSecond);
  CHECK(group.history.total().idle_ns == 4 * kSecond - kSecond / 4 * 7);
}

TEST_CASE("version 2: histories only grow and add up to the group's, whatever the host's CPUs did") {
  Group group(Look::Shares::kHint);
  uint64_t user = 0, system = 0;
  uint64_t random = 12345;
  CpuHistory::Counters before[2] = {};
  for (int round = 0; round < 500; ++round) {
    auto draw = [&random](uint64_t below) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      return (random >> 33) % below;
    };
    uint64_t more_user = draw(kSecond), more_system = draw(kSecond);
    user += more_user;
    system += more_system;
    // The hint may be anything, nothing included.
    group.advance(more_user, more_system, {draw(3), draw(100), draw(kSecond)});
    for (int cpu : {0, 1}) {
      CpuHistory::Counters now = group.history.of(cpu);
      REQUIRE(now.user_ns >= before[cpu].user_ns);
      REQUIRE(now.system_ns >= before[cpu].system_ns);
      REQUIRE(now.idle_ns >= before[cpu].idle_ns);
      // No CPU did more than there was time for.
      REQUIRE(used(now) - used(before[cpu]) <= kSecond + kRounding);
      before[cpu] = now;
    }
    REQUIRE(group.history.total().user_ns == user);
    REQUIRE(group.history.total().system_ns == system);
    REQUIRE(used(group.history.total()) + group.history.total().idle_ns == 2 * kSecond * (round + 1));
  }
}

TEST_CASE("version 2: a CPU that was busy gets the time") {
  Group group(Look::Shares::kHint);
  group.advance(kSecond / 2, 0, {0, 100, 0});
  CHECK(used(group.history.of(0)) == 0);
  CHECK(used(group.history.of(1)) == kSecond / 2);
}

TEST_CASE("idle time is what the quota leaves") {
  Group group(Look::Shares::kHint);
  group.shown = {0};
  group.look.quota = CpuQuota{.quota_us = 50'000, .period_us = 100'000};
  group.advance(kSecond / 2, 0, {});
  CHECK(used(group.history.of(0)) == kSecond / 2);
  CHECK(group.history.of(0).idle_ns == 0);
  group.advance(0, 0, {});
  CHECK(group.history.of(0).idle_ns == kSecond / 2);
}

TEST_CASE("counters that go back, and CPUs that come and go, never make a history shrink") {
  Group group(Look::Shares::kOwn);
  group.advance(kSecond, kSecond, {kSecond, kSecond, 0});
  CpuHistory::Counters before = group.history.total();
  group.look.use = {};
  group.shares = {0};
  group.shown = {1};
  group.advance(0, 0, {});
  CHECK(used(group.history.total()) == used(before));
  group.shown = {0, 1, 2, 3};
  group.advance(kSecond, 0, {kSecond});
  CHECK(used(group.history.total()) == used(before) + kSecond);
}

TEST_CASE("the load rises and falls as the kernel's") {
  // One task that runs from the start: after a minute the kernel says 0.63, 0.18, 0.06.
  LoadAverage load(0);
  for (uint64_t second = 5; second <= 60; second += 5)
    load.advance(second * kSecond, LoadAverage::kOne, LoadAverage::kOne);
  auto hundredths = [&load](size_t i) { return load.load().averages[i] * 100 / LoadAverage::kOne; };
  CHECK(hundredths(0) == 63);
  CHECK(hundredths(1) == 18);
  CHECK(hundredths(2) == 6);
  // Nothing happens between intervals.
  Load same = load.load();
  load.advance(64 * kSecond, 100 * LoadAverage::kOne, 100 * LoadAverage::kOne);
  CHECK(load.load().averages == same.averages);
  // A long time unseen: all at once is about the same as one after the other.
  LoadAverage at_once(0), step_by_step(0);
  at_once.advance(600 * kSecond, 3 * LoadAverage::kOne, 3 * LoadAverage::kOne);
  for (uint64_t second = 5; second <= 600; second += 5)
    step_by_step.advance(second * kSecond, 3 * LoadAverage::kOne, 3 * LoadAverage::kOne);
  for (size_t i = 0; i < 3; ++i)
    CHECK(at_once.load().averages[i] == Approx(step_by_step.load().averages[i]).epsilon(0.03));
  CHECK(at_once.last_ns() == 600 * kSecond);
}

TEST_CASE("memory is as large as the smallest limit and the host") {
  HostMemory host{.total = 8ull << 30, .swap_total = 1ull << 30};
  MemoryLines lines;
  for (const char* name : {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "Active", "Inactive",
                           "SwapTotal", "SwapFree", "Mapped", "Dirty", "Writeback", "AnonHugePages",
                           "VmallocTotal", "CommitLimit", "SomethingNew"})
    lines.push_back({name, 77});
  host.set_lines(lines);
  MemoryStatistics statistics;
  auto set = [&statistics](MemoryField field, uint64_t mebibytes) {
    statistics.values[static_cast<size_t>(field)] = mebibytes << 20;
  };
  set(MemoryField::kFile, 100);
  set(MemoryField::kActiveFile, 60);
  set(MemoryField::kInactiveFile, 40);
  set(MemoryField::kActiveAnon, 1);
  set(MemoryField::kSlabReclaimable, 8);
  set(MemoryField::kMapped, 10);
  set(MemoryField::kDirty, 3);
  set(MemoryField::kAnonHuge, 2);
  GroupMemory memory({.limit = 512 << 20, .used = 200 << 20, .swap_limit = 2ull << 30, .swap_used = 1 << 20},
                     host);
  MemoryLines shown = memory.lines(host, statistics);
  auto mebibytes = [&shown](const char* name) { return shown.value_of(name) / 1024; };
  CHECK(mebibytes("MemTotal") == 512);
  CHECK(mebibytes("MemFree") == 312);
  CHECK(mebibytes("MemAvailable") == 420);
  CHECK(shown.value_of("Buffers") == 0);
  CHECK(mebibytes("Cached") == 100);
  CHECK(mebibytes("Active") == 61);
  CHECK(mebibytes("Inactive") == 40);
  CHECK(mebibytes("SwapTotal") == 1024);
  CHECK(mebibytes("SwapFree") == 1023);
  CHECK(mebibytes("Mapped") == 10);
  CHECK(mebibytes("Dirty") == 3);
  CHECK(mebibytes("AnonHugePages") == 2);
  CHECK(shown.value_of("VmallocTotal") == 77);
  CHECK(shown.value_of("SomethingNew") == 0);
  MemorySummary summary = memory.summary(statistics);
  CHECK(summary.total >> 20 == 512);
  CHECK(summary.free >> 20 == 312);
  CHECK(vmstat_value("nr_free_pages", memory, statistics, {}) == (312u << 20) / 4096);
  CHECK(vmstat_value("nr_mapped", memory, statistics, {}) == (10u << 20) / 4096);
  CHECK(vmstat_value("pgpgin", memory, statistics, {.read_bytes = 8192}) == 8);

  // More in use than the limit that has just been lowered.
  GroupMemory full({.limit = 100 << 20, .used = 200 << 20, .swap_limit = 0, .swap_used = 5}, host);
  CHECK(full.free == 0);
  CHECK(full.swap_total == 0);
  CHECK(full.swap_free == 0);
  // A limit above what the host has.
  CHECK(GroupMemory({.limit = 64ull << 30}, host).total == host.total);
}

TEST_CASE("CPU time of children that nobody saw counts as soon as they were waited for") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t parent = ::fork();
  if (parent == 0) {
    if (::fork() == 0) {
      while (::clock() < CLOCKS_PER_SEC / 10) {
      }
      ::_exit(0);
    }
    int status;
    ::wait(&status);
    (void)!::write(ends[1], "x", 1);
    for (;;) ::pause();
  }
  char byte;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  TaskSampler sampler(proc.get());
  TaskSample sample = sampler.sample(std::vector{SampledThread{parent, true}});
  CHECK(sample.cpu_ns >= 90'000'000);
  CHECK(sample.active_ns < sample.cpu_ns);
  CHECK(sampler.sample(std::vector{SampledThread{parent, false}}).cpu_ns == 0);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
