// A hook's process: its pipes, its time, its end.
#include "tools/oci/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "platform/pidfd.h"
#include "tools/messages.h"
#include "tools/oci/process_settings.h"

namespace sandbox::tools::oci {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kKeptOutput = 1024;

// What happens in the hook's process before it is one. Errors: those of its calls.
using Preparation = std::function<Result<void>()>;

[[noreturn]] void execute(const Hook& hook, const HookStreams& streams, const Preparation& prepare) {
  if (auto prepared = prepare(); !prepared) {
    ::dprintf(streams.errors, "enter the container's namespaces: %s", prepared.error().text().data());
    ::_exit(126);
  }
  UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(streams.input, STDIN_FILENO);
  ::dup2(nothing.get(), STDOUT_FILENO);
  ::dup2(streams.errors, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::setsid();  // so that all of it can be killed
  std::vector<char*> argv, environment;
  for (const std::string& word : hook.args) argv.push_back(const_cast<char*>(word.c_str()));
  if (argv.empty()) argv.push_back(const_cast<char*>(hook.path.c_str()));
  if (hook.env)
    for (const std::string& word : *hook.env) environment.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  ::execve(hook.path.c_str(), argv.data(), hook.env ? environment.data() : environ);
  ::dprintf(STDERR_FILENO, "execve: %s", Errno::last().text().data());
  ::_exit(127);
}

// What a hook does while it runs: takes its input as it likes, and writes what nobody keeps for long.
class HookProcess {
 public:
  HookProcess(pid_t pid, UniqueFd pidfd, UniqueFd input, UniqueFd errors, const std::string& state)
      : pid_(pid),
        pidfd_(std::move(pidfd)),
        input_(std::move(input)),
        errors_(std::move(errors)),
        rest_(state) {}

  // False: its time is over, and it was killed.
  bool run(const std::optional<std::chrono::seconds>& timeout) {
    const auto deadline = Clock::now() + timeout.value_or(std::chrono::hours(0));
    for (;;) {
      int wait_ms = -1;
      if (timeout) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) break;
        wait_ms = static_cast<int>(std::min<int64_t>(left, INT32_MAX));
      }
      if (!step(wait_ms)) {
        reap();
        return true;
      }
    }
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    reap();
    return false;
  }
  int status() const { return status_; }
  const std::string& output() const { return output_; }

 private:
  // Whether it still runs.
  bool step(int wait_ms) {
    std::array<pollfd, 3> events{
        {{pidfd_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}, {input_.get(), POLLOUT, 0}}};
    if (::poll(events.data(), events.size(), wait_ms) <= 0) return true;
    if (events[1].revents != 0) take_output();
    if (events[2].revents != 0) give_input();
    return events[0].revents == 0;
  }
  void take_output() {
    char chunk[4096];
    ssize_t size = ::read(errors_.get(), chunk, sizeof chunk);
    if (size <= 0) return errors_.reset();
    output_.append(chunk, size);
    if (output_.size() > kKeptOutput) output_.erase(0, output_.size() - kKeptOutput);
  }
  void give_input() {
    ssize_t size = ::send(input_.get(), rest_.data(), rest_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) rest_.remove_prefix(size);
    if (rest_.empty() || (size < 0 && errno != EAGAIN)) input_.reset();
  }
  void reap() {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    if (errors_ && ::fcntl(errors_.get(), F_SETFL, O_NONBLOCK) == 0) take_output();
  }

  const pid_t pid_;
  UniqueFd pidfd_, input_, errors_;
  std::string_view rest_;
  std::string output_;
  int status_ = 0;
};

constexpr const char* kAdvice = "look at hooks of config.json";

Configured<pid_t> start(const Hook& hook, const HookStreams& streams, const Preparation& prepare) {
  pid_t child = ::fork();
  if (child < 0) return failure("start a process for it", Errno::last(), kAdvice);
  if (child == 0) execute(hook, streams, prepare);
  return child;
}

// The user namespace only where the other cannot be entered without: who is the host's root keeps the rights
// that a hook may need for devices.
Result<void> enter_mounts_of(pid_t process) {
  UniqueFd pidfd = TRY(platform::open_pidfd(process));
  if (::setns(pidfd.get(), CLONE_NEWNS) == 0) return {};
  return host_status(::setns(pidfd.get(), CLONE_NEWUSER | CLONE_NEWNS));
}

// Failures: in words, what happened to it.
Configured<void> run_hook(const Hook& hook, const std::string& doing, const std::string& state,
                          const HookStarter& start) {
  int input[2], errors[2];
  // A socket, so that a hook that reads nothing raises no SIGPIPE here.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) < 0)
    return failure(doing, Errno::last(), kAdvice);
  UniqueFd my_input(input[0]), its_input(input[1]);
  if (::pipe2(errors, O_CLOEXEC) < 0) return failure(doing, Errno::last(), kAdvice);
  UniqueFd my_errors(errors[0]), its_errors(errors[1]);
  auto child = start(hook, {.input = its_input.get(), .errors = its_errors.get()});
  if (!child)
    return failure(doing, fmt::format("{}: {}", child.error().doing, child.error().reason), kAdvice);
  its_input.reset();
  its_errors.reset();
  auto pidfd = platform::open_pidfd(*child);
  if (!pidfd) return failure(doing, pidfd.error(), kAdvice);
  HookProcess process(*child, *std::move(pidfd), std::move(my_input), std::move(my_errors), state);
  if (!process.run(hook.timeout))
    return failure(doing, fmt::format("it ran longer than its timeout of {} s", hook.timeout->count()),
                   kAdvice);
  const int status = process.status();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string how = WIFEXITED(status) ? fmt::format("it exited with {}", WEXITSTATUS(status))
                                      : fmt::format("signal {} ended it", WTERMSIG(status));
  if (!process.output().empty()) how += fmt::format(": {}", printable(process.output()));
  return failure(doing, how, kAdvice);
}

}  // namespace

Configured<pid_t> start_on_host(const Hook& hook, const HookStreams& streams) {
  return start(hook, streams, [] { return Result<void>(); });
}

HookStarter start_before_tree(ContainerPlace place) {
  return [place = std::move(place)](const Hook& hook, const HookStreams& streams) {
    return start(hook, streams, [&place]() -> Result<void> {
      TRY(enter_namespaces_of(place.process));
      TRY(enter_mounts_of(place.sentry));
      return host_status(::chdir(place.rootfs.c_str()));
    });
  };
}

Configured<void> run_hooks(const std::vector<Hook>& hooks, const char* kind, const std::string& state,
                           const HookStarter& start) {
  for (size_t index = 0; index < hooks.size(); ++index) {
    const Hook& hook = hooks[index];
    // Engines look for these words, which are runc's.
    const std::string doing =
        fmt::format("run {}: error running {} hook #{}", printable(hook.path), kind, index);
    TRY(run_hook(hook, doing, state, start));
  }
  return {};
}

}  // namespace sandbox::tools::oci
