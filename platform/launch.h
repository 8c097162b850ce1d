// Launch: creates the workload's namespaces and its first process, which then waits to be traced and
// released.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/launch_child.h"
#include "platform/platform.h"

namespace sandbox::platform {

struct LaunchedProcess {
  pid_t init_tid = 0;   // PID 1 inside: the built-in init, or the program itself
  pid_t first_tid = 0;  // the program
  UniqueFd init_pidfd, first_pidfd;
  bool has_pid_namespace = true;  // its own: whoever is left in it dies with the init
  UniqueFd channel;               // stream to the first process; it closes at the first successful exec
  // Ptrace engine: descriptors sent here arrive at kReservedFd of every workload process; the receiving end
  // is kept to take back what a process killed in the middle left behind.
  UniqueFd descriptor_sender, descriptor_receiver;
  std::vector<std::pair<NamespaceKind, Errno>> missing_namespaces;
};

// Creates the namespaces and the first process, which makes itself ready while the caller goes on. Errors: of
// any step; `context` names it.
Result<LaunchedProcess> begin_launch(const LaunchOptions& options, std::string& context);
// Waits until it is ready. Nothing of the workload has run when this returns: the first process waits in
// release_process's read. When the channel closes before that, it ends. Errors: of any step; `context` names
// it.
Result<void> finish_launch(LaunchedProcess& process, std::string& context);
// Ends what a launch began: the init's death takes everything below it along.
void abandon_launch(const LaunchedProcess& process);

// Tells the first process what to execute. It must be traced by now: it goes on to install the filter and
// execve. In its execve, r10 holds the number of the filter's listener (-1: the engine has none).
Result<void> release_process(const UniqueFd& channel, const std::string& path,
                             const std::vector<std::string>& argv,
                             const std::vector<std::string>& environment);

// Where the first process ended when it never got to run a program, once it is gone.
struct LaunchFailure {
  Errno error{0};
  const char* step = nullptr;  // null: its execve failed with that error
};
std::optional<LaunchFailure> read_launch_failure(const UniqueFd& channel);

// What a child of the launch tells first: that it is ready, or what failed.
struct ReceivedReport {
  LaunchReport report;
  pid_t sender;  // as this PID namespace numbers it; 0 when unknown
};
// Errors: ECHILD: the process ended without a word.
Result<ReceivedReport> receive_report(const UniqueFd& channel, int flags);
const char* step_text(LaunchStep step);

// Both ends close-on-exec; a receiver on `mine` learns who sent. Errors: those of socketpair(2).
struct SocketPair {
  UniqueFd mine, theirs;
};
Result<SocketPair> make_channel();

}  // namespace sandbox::platform
