// Two short files a thread: stat for its state, schedstat for its past (Documentation/scheduler/sched-stats).
#include "sentry/resources/task_sampler.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "sandbox/numbers.h"
#include "sandbox/process_stat.h"
#include "sandbox/unique_fd.h"
#include "sentry/cgroup/numbers.h"

namespace sandbox {

namespace {

using Text = std::array<char, 512>;

constexpr uint64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100

std::string_view read_file_of(int host_proc, pid_t host_tid, std::string_view name, Text& buffer) {
  std::array<char, 64> path{};
  char* end = std::to_chars(path.data(), path.data() + 16, host_tid).ptr;
  *end++ = '/';
  name.copy(end, name.size());
  UniqueFd file(::openat(host_proc, path.data(), O_RDONLY | O_CLOEXEC));
  ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  return {buffer.data(), size < 0 ? 0 : static_cast<size_t>(size)};
}

}  // namespace

void TaskSampler::add_state(const SampledThread& thread, TaskSample* sample) const {
  Text buffer;
  std::string_view text = read_file_of(host_proc_, thread.host_tid, "stat", buffer);
  const std::string_view state = stat_field(text, StatField::kState);
  if (state == "R") ++sample->running;
  if (state == "D") ++sample->blocked;
  // The leader's numbers are the whole process's.
  if (!thread.is_group_leader) return;
  for (StatField field : {StatField::kUserTicks, StatField::kSystemTicks, StatField::kChildrensUserTicks,
                          StatField::kChildrensSystemTicks})
    sample->cpu_ns += parse_number<uint64_t>(stat_field(text, field)).value_or(0) * kNanosecondsPerTick;
}

bool TaskSampler::read_counters(pid_t host_tid, Seen* seen) const {
  Text buffer;
  std::string_view line = read_file_of(host_proc_, host_tid, "schedstat", buffer);
  line = cgroup::take_line(&line);
  auto run_ns = parse_number<uint64_t>(cgroup::take_word(&line));
  auto wait_ns = parse_number<uint64_t>(cgroup::take_word(&line));
  auto switches = parse_number<uint64_t>(line);
  if (!run_ns || !wait_ns || !switches) return false;
  seen->active_ns = *run_ns + *wait_ns;
  seen->switches = *switches;
  return true;
}

TaskSample TaskSampler::sample(std::span<const SampledThread> threads) {
  ++round_;
  TaskSample sample;
  for (const SampledThread& thread : threads) {
    add_state(thread, &sample);
    Seen now;
    if (!read_counters(thread.host_tid, &now)) continue;
    Seen& seen = threads_[thread.host_tid];
    // The number was given to another thread meanwhile.
    if (now.switches < seen.switches || now.active_ns < seen.active_ns) {
      gone_.switches += seen.switches;
      gone_.active_ns += seen.active_ns;
    }
    now.round = round_;
    seen = now;
  }
  for (auto entry = threads_.begin(); entry != threads_.end();) {
    const Seen& seen = entry->second;
    if (seen.round == round_) {
      sample.switches += seen.switches;
      sample.active_ns += seen.active_ns;
      ++entry;
    } else {
      gone_.switches += seen.switches;
      gone_.active_ns += seen.active_ns;
      entry = threads_.erase(entry);
    }
  }
  sample.switches += gone_.switches;
  sample.active_ns += gone_.active_ns;
  return sample;
}

}  // namespace sandbox
