// What calls return, without a stop: told for those that were asked for only, in order.
#include "platform/result_tap.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

#include "sandbox/clock.h"

using namespace sandbox;
using namespace sandbox::platform;

namespace {

// No libc function, which might make another call first.
long close_of_nothing() { return syscall(SYS_close, 987'654); }

// Asks for the result of the call that it then makes. No assertion may stand between the two: Catch
// allocates, and the sanitizer's allocator makes calls of its own.
bool ask_and_call(ResultTap& tap, pid_t tid) {
  // The tracepoint is opened after some questions, besides.
  for (int i = 0; i < 10'000; ++i) {
    if (tap.ask(tid)) {
      close_of_nothing();
      return true;
    }
    poll(nullptr, 0, 1);
  }
  return false;
}

}  // namespace

TEST_CASE("the result of a call is noted when it was asked for") {
  auto tap = ResultTap::create();
  if (!tap) {
    WARN("skipped: no BPF program may be loaded: " << tap.error().name());
    return;
  }
  ResultTap& results = **tap;
  const pid_t tid = gettid();
  const uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
  REQUIRE(ask_and_call(results, tid));
  close_of_nothing();  // not asked for
  const auto noted = results.next();
  REQUIRE(noted);
  CHECK(noted->tid == tid);
  CHECK(noted->result == -EBADF);
  CHECK(noted->time_ns >= before_ns);
  CHECK(noted->time_ns <= clock_ns(CLOCK_MONOTONIC));
  CHECK(!results.next());

  const bool was_asked = results.ask(tid);
  results.drop(tid);
  close_of_nothing();
  REQUIRE(was_asked);
  CHECK(!results.next());

  // More than the ring has room for, if nobody read it.
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(ask_and_call(results, tid));
    REQUIRE(results.next());
  }
  pid_t other = 0;
  std::thread([&] {
    other = gettid();
    ask_and_call(results, other);
  }).join();
  const auto others = results.next();
  REQUIRE(others);
  CHECK(others->tid == other);
}
