// Two short files a thread: stat for its state, schedstat for its past (Documentation/scheduler/sched-stats).
#include "sentry/resources/task_sampler.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "sandbox/unique_fd.h"
#include "sentry/cgroup/numbers.h"

namespace sandbox {

namespace {

using Text = std::array<char, 512>;

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

char TaskSampler::state_of(pid_t host_tid) const {
  Text buffer;
  std::string_view text = read_file_of(host_proc_, host_tid, "stat", buffer);
  // "7 (a name) S ...": a name may hold parentheses, what follows it does not.
  size_t end = text.rfind(')');
  return end == std::string_view::npos || end + 2 >= text.size() ? '?' : text[end + 2];
}

bool TaskSampler::read_counters(pid_t host_tid, Seen* seen) const {
  Text buffer;
  std::string_view line = read_file_of(host_proc_, host_tid, "schedstat", buffer);
  line = cgroup::take_line(&line);
  auto run_ns = cgroup::whole_number(cgroup::take_word(&line));
  auto wait_ns = cgroup::whole_number(cgroup::take_word(&line));
  auto switches = cgroup::whole_number(line);
  if (!run_ns || !wait_ns || !switches) return false;
  seen->active_ns = *run_ns + *wait_ns;
  seen->switches = *switches;
  return true;
}

TaskSample TaskSampler::sample(std::span<const pid_t> host_tids) {
  ++round_;
  TaskSample sample;
  for (pid_t tid : host_tids) {
    char state = state_of(tid);
    if (state == 'R') ++sample.running;
    if (state == 'D') ++sample.blocked;
    Seen now;
    if (!read_counters(tid, &now)) continue;
    Seen& seen = threads_[tid];
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
