// Asking a sentry for a trace, making it there, and writing here what comes.
#include "tools/live_trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <functional>

#include "platform/pidfd.h"
#include "sentry/trace_messages.h"
#include "tools/messages.h"
#include "tools/named_sandbox.h"
#include "tools/trace_recording.h"

namespace sandbox::tools {

namespace {

// Between a trace, which has no such byte, and its findings.
constexpr char kEndOfTrace = '\0';

class OptionsTrace final : public LiveTrace {
 public:
  Parsed<void> begin(std::vector<std::string> words, UniqueFd output) {
    TRY(parse_words(app_, std::move(words)));
    findings_.begin_within_program();
    options_.write_for_other_command();
    auto recorder_options = TRY(options_.recorder_options());
    recording_ = TRY(TraceRecording::create(options_, findings_, std::move(recorder_options),
                                            trace::Outputs::over(std::move(output))));
    return {};
  }
  trace::Recorder& recorder() override { return recording_->recorder(); }
  void finish() override {
    recorder().finish();
    if (!findings_.is_wanted()) return;
    trace::Output& output = recording_->outputs().first();
    (output.text() += kEndOfTrace) += findings_.found().to_message();
    output.end_record();
    output.flush();
  }

 private:
  CLI::App app_{"", "trace"};
  TraceOptions options_{app_};
  TraceFindings findings_{app_};
  std::unique_ptr<TraceRecording> recording_;
};

std::atomic<int> ending_socket{-1};
std::atomic<int> ending_event{-1};  // readable once a signal has come
std::atomic<bool> is_ending{false};

// Without SA_RESTART, so that a reader that does not read keeps nobody waiting.
Result<void> end_trace_on_signals() {
  ending_event = TRY(host_result(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  struct sigaction action{};
  action.sa_handler = [](int) {
    const uint64_t one = 1;
    is_ending = true;
    (void)!::write(ending_event, &one, sizeof one);
    ::shutdown(ending_socket, SHUT_WR);
  };
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaction(signal, &action, nullptr);
  return {};
}

// From now on the sentry sees the end of what we send, ends the trace and sends the rest of it.
void let_signals_end(int socket) {
  ending_socket = socket;
  if (is_ending) ::shutdown(socket, SHUT_WR);
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

// Waits as long as it takes, once the trace is to end for a moment only. A signal may come before we wait, so
// it is waited for as well.
bool can_write(int output) {
  constexpr int kLastPatienceMs = 1000;
  std::array<pollfd, 2> waits{{{output, POLLOUT, 0}, {ending_event, POLLIN, 0}}};
  while (!is_ending)
    if (::poll(waits.data(), waits.size(), -1) > 0 && waits[0].revents != 0) return true;
  return ::poll(waits.data(), 1, kLastPatienceMs) > 0;
}

// Errors: those of write; EINTR when the trace is to end and nobody reads.
Result<void> write_all(int output, std::string_view text) {
  while (!text.empty()) {
    if (!can_write(output)) return err(EINTR);
    // So much a pipe takes without waiting.
    const ssize_t written = ::write(output, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return last_error();
  }
  return {};
}

// Takes a part of the trace. Errors: those of write.
using ShowTrace = std::function<Result<void>(std::string_view)>;

// Until the sentry closes; what follows the trace goes to `findings`. Errors: those of `show`; the rest of
// the trace is then thrown away.
Result<void> copy_trace(int socket, const ShowTrace& show, std::string& findings) {
  std::array<char, 64 << 10> chunk;
  Result<void> result;
  bool has_ended = false;
  for (;;) {
    const ssize_t count = ::read(socket, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return result;
    std::string_view text(chunk.data(), static_cast<size_t>(count));
    const std::string_view lines = has_ended ? "" : text.substr(0, text.find(kEndOfTrace));
    text.remove_prefix(lines.size());
    if (!has_ended && !text.empty()) {
      has_ended = true;
      text.remove_prefix(1);
    }
    findings += text;
    if (!result) continue;
    result = show(lines);
    if (!result) ::shutdown(socket, SHUT_WR);
  }
}

Parsed<ShowTrace> show_trace(const TraceOptions& options, trace::Outputs& outputs) {
  if (!options.is_top())
    return [output = outputs.first().descriptor()](std::string_view text) { return write_all(output, text); };
  auto view = TRY(options.top_view(outputs));
  return [view = std::move(view), messages = trace::TopMessages(),
          &output = outputs.first()](std::string_view text) mutable -> Result<void> {
    for (trace::TopTable& table : messages.take(text)) view(std::move(table));
    if (output.failure()) return std::unexpected(*output.failure());
    return {};
  };
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

int trace_named_sandbox(const std::string& name, const TraceOptions& options, TraceFindings& findings) {
  auto state = open_state_directory();
  if (!state) return report(state.error());
  auto sandbox = find_sandbox(name);
  if (!sandbox) return report(sandbox.error());
  const lifecycle::SandboxRecord& record = sandbox->record();
  if (record.trace_signal == 0)
    return report({.doing = fmt::format("trace the sandbox {}", printable(name)),
                   .reason = "it is traced from its start, or not started yet",
                   .advice = "start it with `sandbox run --name`"});
  if (auto opened = findings.open(); !opened) return report(opened.error());
  auto outputs = options.open_outputs();
  if (!outputs) return report(outputs.error());
  auto words = options.words_for_sentry(**outputs);
  if (!words) return report(words.error());

  const auto not_begun = [&](Errno error) { return is_ending ? 0 : report(not_met(name, error)); };
  if (auto done = end_trace_on_signals(); !done) return not_begun(done.error());
  auto socket = meet_sentry(*state, record);
  if (!socket) return not_begun(socket.error());
  let_signals_end(socket->get());
  if (auto sent = send_trace_request(socket->get(), *words); !sent) return not_begun(sent.error());
  auto refusal = receive_trace_answer(socket->get());
  if (!refusal) return not_begun(refusal.error());
  if (*refusal) return report(**refusal);
  auto show = show_trace(options, **outputs);
  if (!show) return report(show.error());
  std::string message;
  auto copied = copy_trace(socket->get(), *show, message);
  if (findings.is_wanted())
    if (auto written = findings.write(Findings::from_message(message)); !written)
      return report(written.error());
  if (copied || is_ending || copied.error() == Errno(EPIPE)) return 0;
  return report({.doing = "write the trace",
                 .reason = reason_of(copied.error()),
                 .advice = "-o FILE where there is room"});
}

}  // namespace sandbox::tools
