// ContainerControl: how the sentry of a container talks with the commands of its runtime.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "sentry/failure.h"

namespace sandbox::oci {

// What the sentry tells `create`: the host pid of the waiting process, or why there is none.
struct Announced {
  // kProcess: it is in its namespaces, and the container has no files yet: the sentry waits for the hooks
  // that may still change what they will be.
  enum class Stage { kProcess, kReady } stage;
  pid_t first;
};
using Announcement = std::expected<Announced, RunFailure>;

// The sentry's side. `create` holds the other end of a socket pair until the container is created; `start`
// comes to a listening socket in the container's directory, which only its owner can reach.
class ContainerControl {
 public:
  struct Descriptors {
    UniqueFd creator, listener;
    UniqueFd console;  // the engine's console socket; not open: there is none
    UniqueFd log;      // becomes the sentry's standard error
  };
  explicit ContainerControl(Descriptors descriptors)
      : creator_(std::move(descriptors.creator)),
        listener_(std::move(descriptors.listener)),
        console_(std::move(descriptors.console)),
        log_(std::move(descriptors.log)) {}

  const UniqueFd& console() const { return console_; }
  void close_console() { console_.reset(); }
  const UniqueFd& log() const { return log_; }

  // The first process is there and waits. Errors: EPIPE: `create` is gone.
  Result<void> announce(const Announced& announced);
  // The run failed. Whether anybody heard it.
  bool announce(const RunFailure& failure);

  // After Stage::kProcess, until the hooks have run. Errors: EPIPE: `create` is gone, or one of them failed.
  Result<void> wait_for_hooks();

  // kStartHooks: hooks run inside first, each as an `exec`; then comes a request to release the program.
  enum class Outcome { kStart, kStartHooks, kProcessGone, kCreatorGone };
  // Until `create` has done its part and `start` was called; or until the process behind the pidfd, or
  // `create` before its end, is gone.
  Outcome wait_for_start(int first_pidfd);
  // Where `exec` comes to, once the container runs.
  UniqueFd take_listener() { return std::move(listener_); }

 private:
  UniqueFd creator_, listener_, console_, log_;
};

// `create`'s side of the same socket pair. Errors: EPIPE: the sentry died without a word.
Result<Announcement> receive_announcement(const UniqueFd& socket);
// The hooks that Stage::kProcess waits for have run.
Result<void> confirm_hooks(const UniqueFd& socket);
// `create` has done its part: the container is created.
Result<void> confirm_created(const UniqueFd& socket);

// A listening socket of that name in the directory. Errors: EADDRINUSE, those of bind.
Result<UniqueFd> listen_in(int directory, const std::string& name);
// A connection to it. Errors: ENOENT, ECONNREFUSED (its sentry is gone).
Result<UniqueFd> connect_in(int directory, const std::string& name);
// What `start` asks of the sentry at the other end: to let the first process run; to let what is executed by
// `exec` run before it; to let it run then. Errors: EPIPE: it is gone.
enum class StartRequest { kStart, kHooks, kRelease };
Result<void> request_start(const UniqueFd& socket, StartRequest request);
// The word of a request, and back; nothing for any other word.
std::optional<StartRequest> start_request_in(const std::string& word);

}  // namespace sandbox::oci
