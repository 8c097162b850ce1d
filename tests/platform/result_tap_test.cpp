// What calls return and write, without a stop: told for those that were asked for only, in order.
#include "platform/result_tap.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "sandbox/clock.h"

using namespace sandbox;
using namespace sandbox::platform;

namespace {

// No libc function, which might make another call first.
long close_of_nothing() { return syscall(SYS_close, 987'654); }

// Asks for the result of the call that it then makes. No assertion may stand between the two: Catch
// allocates, and the sanitizer's allocator makes calls of its own.
template <typename Call>
bool ask_and_call(ResultTap& tap, pid_t tid, const OutputRanges& outputs, Call call) {
  // The tracepoint is opened after some questions, besides.
  for (int i = 0; i < 10'000; ++i) {
    if (tap.ask(tid, outputs)) {
      call();
      return true;
    }
    poll(nullptr, 0, 1);
  }
  return false;
}
bool ask_and_call(ResultTap& tap, pid_t tid) { return ask_and_call(tap, tid, {}, close_of_nothing); }

std::string text_of(const CopiedOutput& output) {
  return {reinterpret_cast<const char*>(output.bytes.data()), output.bytes.size()};
}

// Two pages, of which only the first can be touched.
class LastPage {
 public:
  LastPage() {
    void* pages = mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    start_ = static_cast<char*>(pages);
    REQUIRE(mprotect(start_ + kSize, kSize, PROT_NONE) == 0);
  }
  ~LastPage() { munmap(start_, 2 * kSize); }
  void open_both() { REQUIRE(mprotect(start_, 2 * kSize, PROT_READ | PROT_WRITE) == 0); }
  char* end() { return start_ + kSize; }

 private:
  static constexpr size_t kSize = 4096;
  char* start_;
};

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

  const bool was_asked = results.ask(tid, {});
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

TEST_CASE("what a call wrote is copied before the thread goes on") {
  auto tap = ResultTap::create();
  if (!tap) {
    WARN("skipped: no BPF program may be loaded: " << tap.error().name());
    return;
  }
  ResultTap& results = **tap;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  LastPage memory;
  const auto range = [](const char* start, uint32_t size) {
    return OutputRange{reinterpret_cast<uint64_t>(start), size};
  };
  const auto read_into = [&](char* buffer, size_t size) {
    REQUIRE(write(ends[1], "abcdefgh", 8) == 8);
    return [&ends, buffer, size] {
      syscall(SYS_read, ends[0], buffer, size);
      // What happens to it later is not what the call wrote.
      std::memset(buffer, 'x', size);
    };
  };

  SECTION("two ranges") {
    char buffer[16] = "", untouched[4] = "now";
    REQUIRE(ask_and_call(results, gettid(), {range(buffer, 8), range(untouched, 3)}, read_into(buffer, 8)));
    const auto noted = results.next();
    REQUIRE(noted);
    CHECK(noted->result == 8);
    CHECK(text_of(noted->outputs[0]) == "abcdefgh");
    CHECK(text_of(noted->outputs[1]) == "now");
  }
  SECTION("as far as memory goes") {
    char* buffer = memory.end() - 8;
    REQUIRE(ask_and_call(results, gettid(), {range(buffer, 32)}, read_into(buffer, 8)));
    const auto noted = results.next();
    REQUIRE(noted);
    CHECK(text_of(noted->outputs[0]) == "abcdefgh");
    CHECK(noted->outputs[1].bytes.empty());
  }
  SECTION("across the end of a page") {
    memory.open_both();
    char* buffer = memory.end() - 3;
    REQUIRE(ask_and_call(results, gettid(), {range(buffer, 8)}, read_into(buffer, 8)));
    const auto noted = results.next();
    REQUIRE(noted);
    CHECK(text_of(noted->outputs[0]) == "abcdefgh");
  }
  SECTION("nothing of what cannot be read, and the largest of what can") {
    memory.open_both();
    char* largest = memory.end() - 100;
    std::memset(largest, 'y', OutputRange::kLargest);
    REQUIRE(ask_and_call(results, gettid(), {range(nullptr, 8), range(largest, OutputRange::kLargest)},
                         close_of_nothing));
    const auto noted = results.next();
    REQUIRE(noted);
    CHECK(noted->outputs[0].bytes.empty());
    CHECK(text_of(noted->outputs[1]) == std::string(OutputRange::kLargest, 'y'));
  }
  close(ends[0]);
  close(ends[1]);
}
