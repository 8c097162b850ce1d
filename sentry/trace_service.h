// TraceService: lets another command of the same user watch the calls of a running sandbox.
#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "platform/platform.h"
#include "sandbox/unique_fd.h"
#include "sentry/lifecycle/state_directory.h"
#include "sentry/sandbox_config.h"
#include "sentry/trace/recorder.h"

namespace sandbox {

// Nothing can reach it by itself: a signal, which nobody inside can send, makes it connect to a socket in the
// state directory, which nobody inside can see. It is told what to trace and writes the trace there; when the
// other side closes, the trace ends and the workload runs on.
class TraceService {
 public:
  // Before any thread is made: they are all to leave the signal alone.
  TraceService(lifecycle::StateDirectory state, std::string name);
  ~TraceService();
  TraceService(const TraceService&) = delete;
  TraceService& operator=(const TraceService&) = delete;

  static int request_signal() { return SIGRTMAX - 4; }

  // All of them outlive it. Errors: those of signalfd and eventfd.
  Result<void> start(platform::Platform& platform, trace::Subject& subject, const BeginTrace& begin_trace);

 private:
  struct Session {
    UniqueFd connection;
    std::unique_ptr<LiveTrace> trace;
  };

  void serve();
  void answer_request();
  void begin(Session session);
  void end_session();

  const lifecycle::StateDirectory state_;
  const std::string name_;
  platform::Platform* platform_ = nullptr;
  trace::Subject* subject_ = nullptr;
  const BeginTrace* begin_trace_ = nullptr;
  UniqueFd signals_, wake_;
  std::thread thread_;
  std::optional<Session> session_;  // of the thread
};

}  // namespace sandbox
