// Asking a sentry for a trace, making it there, and writing here what comes.
#include "tools/live_trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "platform/pidfd.h"
#include "sentry/trace_messages.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"

namespace sandbox::tools {

namespace {

class OptionsTrace final : public LiveTrace {
 public:
  Parsed<void> begin(std::vector<std::string> words, UniqueFd output) {
    TRY(parse_words(app_, std::move(words)));
    auto recorder_options = TRY(options_.recorder_options());
    outputs_ = trace::Outputs::over(std::move(output));
    writer_ = TRY(options_.make_writer(*outputs_));
    recorder_.emplace(std::move(recorder_options), *outputs_, *writer_);
    return {};
  }
  trace::Recorder& recorder() override { return *recorder_; }

 private:
  CLI::App app_{"", "trace"};
  TraceOptions options_{app_};
  std::unique_ptr<trace::Outputs> outputs_;
  std::unique_ptr<trace::Writer> writer_;
  std::optional<trace::Recorder> recorder_;
};

std::atomic<int> ending_socket{-1};
std::atomic<bool> is_ending{false};

// The sentry sees the end of what we send, ends the trace and sends the rest of it. Without SA_RESTART, so
// that a reader that does not read keeps nobody waiting.
void end_trace_on_signals(int socket) {
  ending_socket = socket;
  struct sigaction action{};
  action.sa_handler = [](int) {
    is_ending = true;
    ::shutdown(ending_socket, SHUT_WR);
  };
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaction(signal, &action, nullptr);
}

// The sentry comes to the socket; whoever else does is sent away.
Result<UniqueFd> wait_for_sentry(int meeting, pid_t sentry) {
  constexpr int kPatienceMs = 10'000;
  pollfd wait{meeting, POLLIN, 0};
  for (;;) {
    const int count = ::poll(&wait, 1, kPatienceMs);
    if (count < 0) return last_error();
    if (count == 0) return err(ETIMEDOUT);
    UniqueFd socket(::accept4(meeting, nullptr, nullptr, SOCK_CLOEXEC));
    ucred peer{};
    socklen_t size = sizeof peer;
    if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) continue;
    if (peer.pid == sentry) return socket;
  }
}

Result<UniqueFd> meet_sentry(const lifecycle::StateDirectory& state, const lifecycle::SandboxRecord& record) {
  const UniqueFd sentry = TRY(platform::open_pidfd(record.owner));
  const UniqueFd meeting = TRY(state.open_meeting(record.name));
  auto socket = [&]() -> Result<UniqueFd> {
    TRY(platform::send_signal(sentry, record.trace_signal));
    return wait_for_sentry(meeting.get(), record.owner);
  }();
  state.remove_meeting(record.name);
  return socket;
}

// Until the sentry closes. Errors: those of write; what the sentry still sends is then thrown away.
Result<void> copy_trace(int socket, int output) {
  std::array<char, 64 << 10> chunk;
  Result<void> result;
  for (;;) {
    const ssize_t count = ::read(socket, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return result;
    for (ssize_t done = 0; result && done < count;) {
      const ssize_t written = ::write(output, chunk.data() + done, static_cast<size_t>(count - done));
      if (written > 0) done += written;
      if (written < 0 && (errno != EINTR || is_ending)) {
        result = last_error();
        ::shutdown(socket, SHUT_WR);
      }
    }
  }
}

RunFailure not_met(const std::string& name, Errno error) {
  return {.doing = fmt::format("trace the sandbox {}", printable(name)),
          .reason = error == Errno(EADDRINUSE) ? "another command is asking it just now" : reason_of(error),
          .advice = "once more, and `sandbox ps` to see whether it still runs"};
}

}  // namespace

std::expected<std::unique_ptr<LiveTrace>, RunFailure> begin_live_trace(std::vector<std::string> options,
                                                                       UniqueFd output) {
  auto trace = std::make_unique<OptionsTrace>();
  TRY(trace->begin(std::move(options), std::move(output)));
  return trace;
}

int trace_named_sandbox(const std::string& name, const TraceOptions& options) {
  auto state = open_state_directory();
  if (!state) return report(state.error());
  auto sandbox = find_sandbox(name);
  if (!sandbox) return report(sandbox.error());
  const lifecycle::SandboxRecord& record = sandbox->record();
  if (record.trace_signal == 0)
    return report({.doing = fmt::format("trace the sandbox {}", printable(name)),
                   .reason = "it is traced from its start, or just starting",
                   .advice = "start it with `sandbox run --name`"});
  auto outputs = options.open_outputs();
  if (!outputs) return report(outputs.error());
  auto words = options.words_for_sentry(**outputs);
  if (!words) return report(words.error());

  auto socket = meet_sentry(*state, record);
  if (!socket) return report(not_met(name, socket.error()));
  end_trace_on_signals(socket->get());
  if (auto sent = send_trace_request(socket->get(), *words); !sent)
    return report(not_met(name, sent.error()));
  auto refusal = receive_trace_answer(socket->get());
  if (!refusal) return report(not_met(name, refusal.error()));
  if (*refusal) return report(**refusal);
  auto copied = copy_trace(socket->get(), (*outputs)->first().descriptor());
  if (copied || is_ending || copied.error() == Errno(EPIPE)) return 0;
  return report({.doing = "write the trace",
                 .reason = reason_of(copied.error()),
                 .advice = "-o FILE where there is room"});
}

}  // namespace sandbox::tools
