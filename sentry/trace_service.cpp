// The thread that waits for requests and for the end of the one it serves.
#include "sentry/trace_service.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>

#include "sentry/trace_messages.h"

namespace sandbox {

namespace {

sigset_t request_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TraceService::request_signal());
  return set;
}

RunFailure refusal(std::string reason, std::string advice) {
  return {.doing = "trace the sandbox", .reason = std::move(reason), .advice = std::move(advice)};
}

}  // namespace

TraceService::TraceService(lifecycle::StateDirectory state, std::string name)
    : state_(std::move(state)), name_(std::move(name)) {
  const sigset_t set = request_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

TraceService::~TraceService() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  // A reader that does not read would keep the thread from ending the trace.
  thread_.join();
}

Result<void> TraceService::start(platform::Platform& platform, trace::Subject& subject,
                                 const BeginTrace& begin_trace) {
  platform_ = &platform;
  subject_ = &subject;
  begin_trace_ = &begin_trace;
  const sigset_t set = request_signals();
  signals_ = UniqueFd(TRY(host_result(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK))));
  wake_ = UniqueFd(TRY(host_result(::eventfd(0, EFD_CLOEXEC))));
  // Who reads a trace may go away at any time; the workload is not to suffer from it.
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &action, nullptr);
  thread_ = std::thread([this] { serve(); });
  return {};
}

void TraceService::serve() {
  ::prctl(PR_SET_NAME, "sandbox-trace");
  for (;;) {
    std::array<pollfd, 3> waits{{{wake_.get(), POLLIN, 0},
                                 {signals_.get(), POLLIN, 0},
                                 {session_ ? session_->connection.get() : -1, POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;  // EINTR
    // The other side sends nothing but its end.
    if (waits[2].revents != 0 || waits[0].revents != 0) end_session();
    if (waits[0].revents != 0) return;
    if (waits[1].revents != 0) answer_request();
  }
}

void TraceService::answer_request() {
  signalfd_siginfo info;
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
  auto connection = state_.go_to_meeting(name_);
  if (!connection) return;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(connection->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  auto options = receive_trace_request(connection->get());
  if (!options) return;
  auto refuse = [&](const RunFailure& failure) { (void)send_trace_answer(connection->get(), failure); };
  if (session_)
    return refuse(refusal("somebody traces it already (EBUSY)", "wait for the other trace to end"));
  UniqueFd output(::fcntl(connection->get(), F_DUPFD_CLOEXEC, 3));
  auto trace = (*begin_trace_)(*std::move(options), std::move(output));
  if (!trace) return refuse(trace.error());
  if (!send_trace_answer(connection->get(), std::nullopt)) return;
  begin({*std::move(connection), *std::move(trace)});
}

void TraceService::begin(Session session) {
  session_.emplace(std::move(session));
  trace::Recorder& recorder = session_->trace->recorder();
  recorder.set_subject(*subject_);
  // At the workload's end there is nothing left to tell.
  (void)platform_->watch({recorder, recorder.calls()});
}

void TraceService::end_session() {
  if (!session_) return;
  platform_->unwatch();
  session_->trace->finish();
  session_.reset();
}

}  // namespace sandbox
