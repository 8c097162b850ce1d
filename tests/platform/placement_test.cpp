// The measured choice of a placement, whom a tracer keeps beside it, and that holding a thread leaves no
// trace.
#include "platform/placement.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "platform/shared_cpu.h"

using namespace sandbox::platform;

namespace {

// How many of `count` choices went together when each way takes so long.
int together_of(MeasuredWay& ways, int count, uint64_t anywhere_ns, uint64_t together_ns) {
  int together = 0;
  for (int i = 0; i < count; ++i) {
    Way way = ways.choose();
    together += way == Way::kTogether;
    // Every tenth turn was spent behind another thread.
    uint64_t duration = way == Way::kTogether ? together_ns : anywhere_ns;
    ways.record(way, i % 10 == 0 ? 3'000'000 : duration);
  }
  return together;
}

// A process that sleeps until the test ends.
class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) sleep_for_good();
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  cpu_set_t affinity() const {
    cpu_set_t set;
    REQUIRE(sched_getaffinity(pid_, sizeof set, &set) == 0);
    return set;
  }

 private:
  [[noreturn]] static void sleep_for_good() {
    while (true) pause();
  }
  pid_t pid_;
};

// Turns until it is held: on a busy machine each may be so long that it is let go at once.
cpu_set_t take_turns(SharedCpu& shared, const Sleeper& traced) {
  cpu_set_t now = traced.affinity();
  for (int i = 0; i < 10'000 && CPU_COUNT(&now) > 1; ++i) {
    shared.note_stop(traced.pid());
    shared.prepare(traced.pid());
    now = traced.affinity();
  }
  return now;
}

bool has_one_cpu() {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  if (CPU_COUNT(&set) == 1) WARN("skipped: there is one CPU only");
  return CPU_COUNT(&set) == 1;
}

}  // namespace

TEST_CASE("the faster way is found, and found again when it changes") {
  MeasuredWay ways;
  together_of(ways, 256, 60'000, 20'000);
  CHECK(together_of(ways, 1024, 60'000, 20'000) > 900);
  together_of(ways, 512, 10'000, 20'000);
  CHECK(together_of(ways, 1024, 10'000, 20'000) < 120);
}

TEST_CASE("without a clear advantage threads stay where Linux puts them") {
  MeasuredWay ways;
  together_of(ways, 256, 20'000, 19'000);
  CHECK(together_of(ways, 1024, 20'000, 19'000) < 120);
}

TEST_CASE("a short program is left alone") {
  MeasuredWay ways;
  CHECK(together_of(ways, 60, 60'000, 20'000) == 0);
}

TEST_CASE("a thread that was held has its own affinity again") {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  cpu_set_t before, during, after;
  REQUIRE(sched_getaffinity(child, sizeof before, &before) == 0);
  {
    HeldHere held(child);
    REQUIRE(sched_getaffinity(child, sizeof during, &during) == 0);
    CHECK(CPU_COUNT(&during) == 1);
  }
  REQUIRE(sched_getaffinity(child, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&before, &after));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  Pin pin;
  pin.hold();
  pin.release();
  REQUIRE(sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("a thread that takes turns is held beside the tracer, and not when affinities are asked for") {
  if (has_one_cpu()) return;
  Sleeper traced, other;
  const cpu_set_t own = traced.affinity();
  SharedCpu shared;
  cpu_set_t now = take_turns(shared, traced);
  CHECK(CPU_COUNT(&now) == 1);
  shared.note_stop(traced.pid());
  shared.reveal(traced.pid());
  now = traced.affinity();
  CHECK(CPU_EQUAL(&now, &own));
  // Nobody is held before the call is over.
  shared.note_stop(other.pid());
  shared.prepare(other.pid());
  now = other.affinity();
  CHECK(CPU_EQUAL(&now, &own));
  now = take_turns(shared, traced);
  CHECK(CPU_COUNT(&now) == 1);
  shared.end();
  now = traced.affinity();
  CHECK(CPU_EQUAL(&now, &own));
  REQUIRE(sched_getaffinity(0, sizeof now, &now) == 0);
  CHECK(CPU_EQUAL(&now, &own));
}

TEST_CASE("a child that inherits being held gets its parent's own affinity back") {
  if (has_one_cpu()) return;
  Sleeper parent, child;
  const cpu_set_t own = parent.affinity();
  SharedCpu shared;
  const cpu_set_t held = take_turns(shared, parent);
  REQUIRE(CPU_COUNT(&held) == 1);
  REQUIRE(sched_setaffinity(child.pid(), sizeof held, &held) == 0);
  SECTION("told of the birth first") { shared.note_birth(parent.pid(), child.pid()); }
  SECTION("told of the child's own stop first") {
    shared.note_stop(child.pid());
    shared.prepare(child.pid());
    shared.note_birth(parent.pid(), child.pid());
  }
  shared.end();
  const cpu_set_t now = child.affinity();
  CHECK(CPU_EQUAL(&now, &own));
}

TEST_CASE("a child born while its parent was held for a moment gets its parent's CPUs") {
  if (has_one_cpu()) return;
  Sleeper parent, child;
  const cpu_set_t own = parent.affinity();
  {
    HeldHere held(parent.pid());
    const cpu_set_t inherited = parent.affinity();
    REQUIRE(CPU_COUNT(&inherited) == 1);
    REQUIRE(sched_setaffinity(child.pid(), sizeof inherited, &inherited) == 0);
  }
  const StopPlacement placement;
  placement.note_birth(parent.pid(), child.pid());
  cpu_set_t now = child.affinity();
  CHECK(CPU_EQUAL(&now, &own));
  // Several CPUs, or the only one that its parent may use, are its own business.
  const cpu_set_t one = only_cpu(sched_getcpu());
  REQUIRE(sched_setaffinity(parent.pid(), sizeof one, &one) == 0);
  placement.note_birth(parent.pid(), child.pid());
  now = child.affinity();
  CHECK(CPU_EQUAL(&now, &own));
  REQUIRE(sched_setaffinity(child.pid(), sizeof one, &one) == 0);
  placement.note_birth(parent.pid(), child.pid());
  now = child.affinity();
  CHECK(CPU_EQUAL(&now, &one));
}

TEST_CASE("a thread that runs for long is let go") {
  if (has_one_cpu()) return;
  Sleeper traced;
  SharedCpu shared;
  cpu_set_t now = take_turns(shared, traced);
  CHECK(CPU_COUNT(&now) == 1);
  for (int i = 0; i < 10'000 && CPU_COUNT(&now) == 1; ++i) {
    poll(nullptr, 0, 1);
    now = traced.affinity();
  }
  CHECK(CPU_COUNT(&now) > 1);
}
