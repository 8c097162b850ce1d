// The measured choice of a placement, and that holding a thread leaves no trace.
#include "platform/placement.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

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
