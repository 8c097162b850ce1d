// `sandbox top`: the processes of a running sandbox by the CPU time they use right now.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "sentry/cgroup/usage.h"
#include "sentry/lifecycle/process_list.h"
#include "tools/command_line.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Two looks at the same processes.
struct Busy {
  lifecycle::ListedProcess process;
  double percent = 0;  // of one CPU
};

std::vector<Busy> busiest(const std::map<pid_t, uint64_t>& before,
                          const std::vector<lifecycle::ListedProcess>& now, double seconds) {
  const auto ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::vector<Busy> busy;
  for (const lifecycle::ListedProcess& process : now) {
    auto known = before.find(process.host_pid);
    uint64_t ticks =
        process.cpu_ticks - (known == before.end() ? 0 : std::min(known->second, process.cpu_ticks));
    busy.push_back({process, 100 * static_cast<double>(ticks) / ticks_per_s / seconds});
  }
  std::ranges::stable_sort(busy, std::ranges::greater{}, &Busy::percent);
  return busy;
}

void print_head(const lifecycle::RunningSandbox& sandbox, size_t process_count) {
  cgroup::UsageReader reader(sandbox.groups());
  std::string memory;
  if (auto use = reader.memory(cgroup::UsageReader::Swap::kSkip);
      use && sandbox.groups().of(cgroup::Controller::kMemory)) {
    memory = fmt::format(", {} of memory", size_in_words(use->used));
    if (use->limit != cgroup::kUnlimited) memory += fmt::format(" (limit {})", size_in_words(use->limit));
  }
  fmt::print("{} is {}: {} processes{}\n", sandbox.record().name, state_of(sandbox), process_count, memory);
}

void print_screen(const lifecycle::RunningSandbox& sandbox, const std::vector<Busy>& busy) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
  if (is_terminal) fmt::print("\x1b[H\x1b[2J");
  print_head(sandbox, busy.size());
  fmt::print("{:>6} {:>9} {:>2} {:>6} {:>10}  {}\n", "PID", "HOST PID", "S", "%CPU", "RESIDENT", "COMMAND");
  constexpr size_t kMostOnScreen = 20;
  for (const Busy& one : busy) {
    if (is_terminal && &one - busy.data() >= static_cast<ptrdiff_t>(kMostOnScreen)) break;
    fmt::print("{:>6} {:>9} {:>2} {:>6.1f} {:>10}  {}\n", one.process.pid, one.process.host_pid,
               one.process.state, one.percent, size_in_words(one.process.resident_bytes),
               printable(one.process.command));
  }
  std::fflush(stdout);
}

int watch(const std::string& name, double interval_s, unsigned rounds) {
  for (unsigned round = 0; rounds == 0 || round < rounds; ++round) {
    auto sandbox = find_sandbox(name);
    if (!sandbox) return round == 0 ? report(sandbox.error()) : 0;  // it has ended while being watched
    std::map<pid_t, uint64_t> before;
    for (const auto& process : lifecycle::list_processes(sandbox->processes()))
      before[process.host_pid] = process.cpu_ticks;
    auto start = Clock::now();
    timespec nap{.tv_sec = static_cast<time_t>(interval_s),
                 .tv_nsec = static_cast<long>(
                     (interval_s - static_cast<double>(static_cast<time_t>(interval_s))) * 1e9)};
    ::nanosleep(&nap, nullptr);
    auto now = lifecycle::list_processes(sandbox->processes());
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    print_screen(*sandbox, busiest(before, now, seconds));
  }
  return 0;
}

}  // namespace

int verb_top(int argc, char** argv) {
  double interval_s = 1;
  unsigned rounds = ::isatty(STDOUT_FILENO) != 0 ? 0 : 1;
  std::string name;
  CLI::App app("Show which processes of a running sandbox use the CPU, again and again on a terminal.",
               "top");
  set_usage(app, "sandbox top [--interval SECONDS] [--count N] NAME");
  constexpr double kShortest = 0.1, kLongest = 3600;
  app.add_option("-d,--interval", interval_s, "seconds to measure for")
      ->type_name("SECONDS")
      ->check(CLI::Range(kShortest, kLongest))
      ->capture_default_str();
  app.add_option("-n,--count", rounds, "how often; 0: until it ends")->type_name("N");
  app.add_option("NAME", name, "what `run --name` called it")->required();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  return watch(name, interval_s, rounds);
}

}  // namespace sandbox::tools
