// Signals go to the process, its end comes back.
#include "tools/oci/foreground.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "platform/pidfd.h"
#include "tools/oci/terminal_relay.h"

namespace sandbox::tools::oci {

namespace {

sigset_t forwarded_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

int wait_in_foreground(pid_t process, UniqueFd console) {
  const sigset_t signals = forwarded_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::thread([process, signals] {
    for (int signal; ::sigwait(&signals, &signal) == 0;) ::kill(process, signal);
  }).detach();
  if (console) {
    auto master = receive_console(console.get());
    auto pidfd = platform::open_pidfd(process);
    if (master && pidfd) relay_terminal(*std::move(master), pidfd->get());
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace sandbox::tools::oci
