// Waiting for the next deadline.
#include "platform/delayed_work.h"

#include "platform/quiet_thread.h"

namespace sandbox::platform {

void DelayedWork::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  std::lock_guard lock(mutex_);
  work_.clear();
}

void DelayedWork::after(uint64_t delay_ns, std::function<void()> work) {
  std::lock_guard lock(mutex_);
  work_.emplace(Clock::now() + std::chrono::nanoseconds(delay_ns), std::move(work));
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  changed_.notify_one();
}

void DelayedWork::serve(const std::stop_token& stop) {
  block_all_signals();
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (work_.empty()) {
      changed_.wait(lock, stop, [&] { return !work_.empty(); });
      continue;
    }
    const auto deadline = work_.begin()->first;
    if (Clock::now() < deadline) {
      changed_.wait_until(lock, stop, deadline, [&] { return work_.begin()->first < deadline; });
      continue;
    }
    auto work = std::move(work_.begin()->second);
    work_.erase(work_.begin());
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace sandbox::platform
