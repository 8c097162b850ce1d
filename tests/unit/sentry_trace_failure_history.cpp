// What --explain remembers of signals: who sent the one that killed a process, in whatever order that is
// told.
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "fake_memory.h"
#include "sentry/trace/failure_history.h"

namespace sandbox::trace {
namespace {

constexpr pid_t kFirst = 2, kChild = 3;

struct Trace {
  Decoder decoder;
  test::FakeMemory memory{4096};
  HostSurroundings surroundings;
  FailureHistory history;

  Trace() { history.set_surroundings(surroundings); }

  static ThreadIdentity thread(pid_t pid) { return {pid, pid, pid}; }
  void birth() { history.on_birth({{thread(kFirst), 0}, thread(kChild)}); }
  void death(pid_t pid, int wait_status) { history.on_death({{thread(pid), 0}, wait_status}); }
  void kill(pid_t sender, pid_t target, int signal, int64_t result = 0) {
    CallEvent event;
    event.thread = thread(sender);
    const std::array<uint64_t, 6> registers{static_cast<uint64_t>(target), static_cast<uint64_t>(signal)};
    event.call = decoder.entry(SYS_kill, registers, {memory});
    decoder.exit(event.call, result, {memory});
    history.on_call(event);
  }
  bool says(std::string_view words) const { return history.explanation().contains(words); }
};

constexpr int kExit143 = 143 << 8;  // how a shell passes on a death by SIGTERM

}  // namespace

TEST_CASE("the sender of a deadly signal is told, though the target dies before kill returns") {
  Trace trace;
  trace.birth();
  SECTION("the call returns first") {
    trace.kill(kFirst, kChild, SIGTERM);
    trace.death(kChild, SIGTERM);
  }
  SECTION("the target dies first") {
    trace.death(kChild, SIGTERM);
    trace.kill(kFirst, kChild, SIGTERM);
  }
  trace.death(kFirst, kExit143);
  CHECK(trace.says("process 2 sent it: kill(3, SIGTERM)"));
}

TEST_CASE("the explained process itself may die before the kill that ended it returns") {
  Trace trace;
  trace.birth();
  trace.death(kFirst, SIGTERM);
  CHECK_FALSE(trace.says("sent it"));
  trace.kill(kChild, kFirst, SIGTERM);
  CHECK(trace.says("process 3 sent it: kill(2, SIGTERM)"));
}

TEST_CASE("no other signal, no call that failed and no earlier process of that pid is blamed") {
  Trace trace;
  trace.birth();
  SECTION("a question whether the process is there") { trace.kill(kFirst, kChild, 0); }
  SECTION("a signal that it survived") { trace.kill(kFirst, kChild, SIGUSR1); }
  SECTION("a failure") { trace.kill(kFirst, kChild, SIGTERM, -EPERM); }
  SECTION("a pid that comes again") {
    trace.kill(kFirst, kChild, SIGTERM);
    trace.death(kChild, SIGTERM);
    trace.birth();
  }
  trace.death(kChild, SIGTERM);
  trace.kill(kFirst, kChild, SIGKILL, -ESRCH);
  trace.death(kFirst, kExit143);
  CHECK(trace.says("was killed by SIGTERM"));
  CHECK_FALSE(trace.says("sent it"));
}

}  // namespace sandbox::trace
