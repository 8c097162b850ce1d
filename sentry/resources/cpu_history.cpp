// Dividing a group's CPU time among the CPUs that its workload is shown.
#include "sentry/resources/cpu_history.h"

#include <algorithm>
#include <numeric>

namespace sandbox {

namespace {

using Wide = unsigned __int128;

// `whole` * `part` / `all`, without overflow.
uint64_t scaled(uint64_t whole, uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<uint64_t>(Wide{whole} * part / all);
}

// Counters of the kernel go back only when something is wrong with them.
uint64_t growth(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

// Gives out a sum in steps that add up to it whatever is rounded off.
class Parts {
 public:
  Parts(uint64_t sum, uint64_t all) : sum_(sum), all_(all) {}
  uint64_t next(uint64_t part) {
    seen_ += part;
    uint64_t until_now = scaled(sum_, seen_, all_);
    uint64_t step = until_now - given_;
    given_ = until_now;
    return step;
  }

 private:
  const uint64_t sum_, all_;
  uint64_t seen_ = 0, given_ = 0;
};

}  // namespace

std::vector<uint64_t> CpuHistory::deltas_of(const Look& look) const {
  std::vector<uint64_t> deltas(look.shares.size());
  for (size_t cpu = 0; cpu < deltas.size(); ++cpu)
    deltas[cpu] = growth(cpu < last_shares_.size() ? last_shares_[cpu] : 0, look.shares[cpu]);
  return deltas;
}

void CpuHistory::divide(const Look& look, std::span<const uint64_t> deltas, uint64_t elapsed, uint64_t total,
                        std::span<uint64_t> given) {
  auto share_of = [&](size_t index) -> uint64_t {
    auto cpu = static_cast<size_t>(look.shown[index]);
    return cpu < deltas.size() ? deltas[cpu] : 0;
  };
  uint64_t shares = 0;
  for (size_t i = 0; i < given.size(); ++i) shares += share_of(i);
  uint64_t left = total;
  for (size_t i = 0; i < given.size(); ++i) {
    // Where it is known what a CPU did, the rest was done on CPUs that are not shown.
    bool is_known = look.kind == Look::Shares::kOwn;
    uint64_t wanted = is_known ? share_of(i) : scaled(total, share_of(i), shares);
    given[i] = std::min({wanted, elapsed, left});
    left -= given[i];
  }
  // The rest goes where there is room, in equal parts as far as possible.
  for (size_t i = 0; i < given.size() && left > 0; ++i) {
    uint64_t more = std::min(elapsed - given[i], left / (given.size() - i));
    given[i] += more;
    left -= more;
  }
  for (size_t i = 0; i < given.size() && left > 0; ++i) {
    uint64_t more = std::min(elapsed - given[i], left);
    given[i] += more;
    left -= more;
  }
  // More than all CPUs together could have done: clocks that were read one after the other.
  given.back() += left;
}

void CpuHistory::remember(const Look& look) {
  last_ns_ = look.now_ns;
  last_use_ = look.use;
  last_shares_.assign(look.shares.begin(), look.shares.end());
  has_started_ = true;
}

void CpuHistory::advance(const Look& look) {
  if (!has_started_) {
    for (int cpu : look.shown) cpus_[cpu];
    return remember(look);
  }
  uint64_t elapsed = growth(last_ns_, look.now_ns);
  uint64_t nice = growth(last_use_.nice_ns, look.use.nice_ns);
  uint64_t user = std::max(growth(last_use_.user_ns, look.use.user_ns), nice) - nice;
  uint64_t system = growth(last_use_.system_ns, look.use.system_ns);
  uint64_t total = user + nice + system;
  std::vector<uint64_t> given(look.shown.size());
  divide(look, deltas_of(look), elapsed, total, given);

  // What each CPU could do: a part of the time that has passed, where the quota is no whole number of CPUs.
  uint64_t capacity = elapsed;
  if (look.quota)
    capacity = std::min(elapsed, scaled(elapsed, look.quota->quota_us,
                                        look.quota->period_us * static_cast<uint64_t>(look.shown.size())));
  Parts user_parts(user, total), nice_parts(nice, total), system_parts(system, total);
  for (size_t i = 0; i < given.size(); ++i) {
    Counters& counters = cpus_[look.shown[i]];
    counters.user_ns += user_parts.next(given[i]);
    counters.nice_ns += nice_parts.next(given[i]);
    counters.system_ns += system_parts.next(given[i]);
    counters.idle_ns += growth(given[i], capacity);
  }
  remember(look);
}

CpuHistory::Counters CpuHistory::of(int cpu) const {
  auto found = cpus_.find(cpu);
  return found == cpus_.end() ? Counters{} : found->second;
}

CpuHistory::Counters CpuHistory::total() const {
  Counters sum;
  for (const auto& [cpu, counters] : cpus_) {
    sum.user_ns += counters.user_ns;
    sum.nice_ns += counters.nice_ns;
    sum.system_ns += counters.system_ns;
    sum.idle_ns += counters.idle_ns;
  }
  return sum;
}

}  // namespace sandbox
