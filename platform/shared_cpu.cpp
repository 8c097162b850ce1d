// Whom to hold, and when to let go.
#include "platform/shared_cpu.h"

#include <algorithm>
#include <chrono>

#include "platform/quiet_thread.h"
#include "sandbox/clock.h"

namespace sandbox::platform {

void SharedCpu::note_stop(pid_t tid) {
  std::lock_guard lock(mutex_);
  Thread& thread = threads_[tid];
  const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  if (thread.is_running) {
    const bool was_short = now_ns - thread.since_ns <= kShortTurn_ns;
    thread.turns = was_short ? static_cast<uint8_t>(std::min(thread.turns + 1, +kTurns)) : 0;
    set_stopped(thread);
  }
  thread.since_ns = now_ns;
  revealed_.erase(tid);
}

void SharedCpu::prepare(pid_t tid) {
  std::lock_guard lock(mutex_);
  Thread& thread = threads_[tid];
  thread.since_ns = clock_ns(CLOCK_MONOTONIC);
  // Beside others only one that will not take the CPU from them for long.
  const bool fits = thread.turns >= kTurns || running_held_ == 0;
  if (fits && revealed_.empty() && !has_ended_) {
    place_tracer(tid, thread);
    hold(tid, thread);
  } else {
    let_go(tid, thread);
  }
  thread.is_running = true;
  if (thread.is_held) ++running_held_;
}

// With `thread` about to run.
void SharedCpu::place_tracer(pid_t tid, Thread& thread) {
  if (cpu_ >= 0) {
    if (thread.since_ns - placed_ns_ < kStay_ns) return;
    // Woken next, it is where Linux sees room, and stays there.
    tracer_.release();
    cpu_ = -1;
    return;
  }
  // First, so that its affinity is ours as it was.
  if (!watcher_.joinable()) watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  cpu_ = sched_getcpu();
  placed_ns_ = thread.since_ns;
  if (learn_own(tid, thread) && !CPU_ISSET(cpu_, &thread.own)) {
    // One that may not come here is visited.
    for (cpu_ = 0; !CPU_ISSET(cpu_, &thread.own);) ++cpu_;
  }
  tracer_.hold(cpu_);
}

bool SharedCpu::learn_own(pid_t tid, Thread& thread) {
  if (!thread.is_held) thread.is_own_known = sched_getaffinity(tid, sizeof thread.own, &thread.own) == 0;
  return thread.is_own_known;
}

void SharedCpu::hold(pid_t tid, Thread& thread) {
  if (cpu_ < 0 || thread.cpu == cpu_) return;
  if (!learn_own(tid, thread)) return;
  if (!CPU_ISSET(cpu_, &thread.own)) return let_go(tid, thread);
  thread.cpu = cpu_;
  if (CPU_COUNT(&thread.own) == 1) return;
  const cpu_set_t here = only_cpu(cpu_);
  if (sched_setaffinity(tid, sizeof here, &here) == 0) set_held(thread);
}

void SharedCpu::set_held(Thread& thread) {
  if (thread.is_held) return;
  thread.is_held = true;
  if (thread.is_running) ++running_held_;
  if (++held_ == 1) holds_some_.notify_one();
}

void SharedCpu::set_stopped(Thread& thread) {
  if (thread.is_running && thread.is_held) --running_held_;
  thread.is_running = false;
}

void SharedCpu::let_go(pid_t tid, Thread& thread) {
  thread.cpu = -1;
  if (!thread.is_held) return;
  (void)sched_setaffinity(tid, sizeof thread.own, &thread.own);
  if (thread.is_running) --running_held_;
  --held_;
  thread.is_held = false;
}

void SharedCpu::let_all_go() {
  for (auto& [tid, thread] : threads_) let_go(tid, thread);
}

void SharedCpu::note_birth(pid_t parent, pid_t child) {
  std::lock_guard lock(mutex_);
  const auto maker = threads_.find(parent);
  if (maker == threads_.end() || !maker->second.is_own_known) return;
  const cpu_set_t& own = maker->second.own;
  Thread& thread = threads_[child];
  // The parent may have been let go meanwhile: what the child was given is what counts.
  if (thread.is_held || !learn_own(child, thread)) return;
  if (CPU_COUNT(&thread.own) != 1 || CPU_COUNT(&own) == 1) return;
  for (thread.cpu = 0; !CPU_ISSET(thread.cpu, &thread.own);) ++thread.cpu;
  thread.own = own;
  set_held(thread);
  if (!revealed_.empty() || has_ended_) let_go(child, thread);
}

void SharedCpu::note_exec(pid_t maker, pid_t group) {
  if (maker == group) return;
  std::lock_guard lock(mutex_);
  forget(group);
  auto record = threads_.extract(maker);
  if (record.empty()) return;
  set_stopped(record.mapped());
  record.key() = group;
  threads_.insert(std::move(record));
}

void SharedCpu::note_death(pid_t tid) {
  std::lock_guard lock(mutex_);
  forget(tid);
}

void SharedCpu::forget(pid_t tid) {
  revealed_.erase(tid);
  const auto found = threads_.find(tid);
  if (found == threads_.end()) return;
  set_stopped(found->second);
  if (found->second.is_held) --held_;
  threads_.erase(found);
}

void SharedCpu::reveal(pid_t tid) {
  std::lock_guard lock(mutex_);
  let_all_go();
  // What it asks for may be to change them.
  for (auto& [other, thread] : threads_) thread.is_own_known = false;
  revealed_.insert(tid);
}

void SharedCpu::end() {
  std::lock_guard lock(mutex_);
  has_ended_ = true;
  let_all_go();
  tracer_.release();
  cpu_ = -1;
}

void SharedCpu::watch(const std::stop_token& stop) {
  block_all_signals();
  std::unique_lock lock(mutex_);
  while (holds_some_.wait(lock, stop, [this] { return held_ > 0; })) {
    holds_some_.wait_for(lock, stop, std::chrono::nanoseconds(kLongTurn_ns), [] { return false; });
    const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    for (auto& [tid, thread] : threads_) {
      if (!thread.is_held || now_ns - thread.since_ns < kLongTurn_ns) continue;
      let_go(tid, thread);
      thread.turns = 0;
    }
  }
}

}  // namespace sandbox::platform
