// DelayedWork: does things later, on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace sandbox::platform {

class DelayedWork {
 public:
  // What is not done by then is dropped.
  ~DelayedWork() { stop(); }
  void stop();

  // From any thread; `work` must not wait.
  void after(uint64_t delay_ns, std::function<void()> work);

 private:
  using Clock = std::chrono::steady_clock;
  void serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::multimap<Clock::time_point, std::function<void()>> work_;
  std::jthread thread_;  // begun with the first work
};

}  // namespace sandbox::platform
