// TaskSampler: what the sandbox's threads are doing and have done, from the host's /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <unordered_map>

namespace sandbox {

struct TaskSample {
  uint64_t running = 0;  // state R
  uint64_t blocked = 0;  // state D
  // Since the first sample, of threads that live or were ever seen.
  uint64_t switches = 0;
  // Time spent running, or ready to, in the same way.
  uint64_t active_ns = 0;
  // CPU time of the processes, of threads of theirs that have ended and of children that were waited for:
  // also of those that nobody ever saw. It goes back while an ended process is not waited for.
  uint64_t cpu_ns = 0;
};

struct SampledThread {
  pid_t host_tid = 0;
  bool is_group_leader = false;
};

// Not safe from several threads.
class TaskSampler {
 public:
  explicit TaskSampler(int host_proc) : host_proc_(host_proc) {}
  TaskSample sample(std::span<const SampledThread> threads);

 private:
  struct Seen {
    uint64_t switches = 0, active_ns = 0;
    uint64_t round = 0;
  };
  // Adds what /proc/TID/stat tells to `sample`.
  void add_state(const SampledThread& thread, TaskSample* sample) const;
  // Of /proc/TID/schedstat; false when the thread is gone or the kernel does not count.
  bool read_counters(pid_t host_tid, Seen* seen) const;

  const int host_proc_;
  uint64_t round_ = 0;
  std::unordered_map<pid_t, Seen> threads_;
  Seen gone_;  // summed over threads that have ended
};

}  // namespace sandbox
