// SharedCpu: keeps a tracer and the threads it traces on one CPU while they take turns.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "platform/call_observer.h"
#include "platform/placement.h"

namespace sandbox::platform {

// At a stop the thread wakes the tracer and sleeps, and then the other way round. Linux would wake each on
// the idle CPU, which costs several times the stop itself. Here a thread stays held from one turn to the
// next, so that no call a stop is spent on it. One that runs for long, or at the same time as others, is let
// go: threads that compute spread over the CPUs as ever. A held thread's affinity is not its own: reveal()
// before a traced thread asks for one.
//
// Every method is the tracer's thread's; a thread of this class lets others go, too.
class SharedCpu {
 public:
  // Calls that tell or change an affinity: each needs a stop, for reveal().
  static constexpr std::array<uint32_t, 2> kRevealing = {SYS_sched_getaffinity, SYS_sched_setaffinity};
  static bool is_revealing(uint32_t number) {
    return std::ranges::find(kRevealing, number) != kRevealing.end();
  }
  static bool is_possible(const CallSet& stopping) {
    return std::ranges::all_of(kRevealing, [&](uint32_t number) { return stopping.contains(number); });
  }

  ~SharedCpu() { end(); }

  void note_stop(pid_t tid);
  // The stopped thread is let run next.
  void prepare(pid_t tid);
  // A child inherits that its parent is held. Its own events may have come before.
  void note_birth(pid_t parent, pid_t child);
  // The thread `maker` goes on under the id `group`.
  void note_exec(pid_t maker, pid_t group);
  void note_death(pid_t tid);
  // The thread is about to ask for an affinity or to change one: until it stops again all have their own.
  void reveal(pid_t tid);
  // All have their own from now on.
  void end();

 private:
  // So many short turns make a thread one that takes turns.
  static constexpr uint8_t kTurns = 2;
  static constexpr uint64_t kShortTurn_ns = 200'000, kLongTurn_ns = 5'000'000;
  // After that the tracer is for one turn free to go where Linux sees more room.
  static constexpr uint64_t kStay_ns = 50'000'000;

  struct Thread {
    cpu_set_t own;  // affinity, when it is known
    bool is_own_known = false;
    bool is_held = false;
    bool is_running = false;
    int cpu = -1;            // where it is held, or could not be
    uint8_t turns = kTurns;  // short ones in a row
    uint64_t since_ns = 0;   // it runs, or is stopped
  };

  // With mutex_ held:
  void place_tracer(pid_t tid, Thread& thread);
  static bool learn_own(pid_t tid, Thread& thread);
  void hold(pid_t tid, Thread& thread);
  void set_held(Thread& thread);
  void set_stopped(Thread& thread);
  void let_go(pid_t tid, Thread& thread);
  void let_all_go();
  void forget(pid_t tid);

  void watch(const std::stop_token& stop);

  std::mutex mutex_;  // all below
  std::unordered_map<pid_t, Thread> threads_;
  std::unordered_set<pid_t> revealed_;  // whose next stop is awaited
  uint32_t held_ = 0, running_held_ = 0;
  bool has_ended_ = false;
  Pin tracer_;
  int cpu_ = -1;  // the tracer's; -1: it is free
  uint64_t placed_ns_ = 0;
  std::condition_variable_any holds_some_;
  std::jthread watcher_;  // lets long turns go; begun with the first thread that is held
};

}  // namespace sandbox::platform
