// Entering namespaces, and the fork that makes them count.
#include "platform/joined_launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "platform/launch.h"
#include "platform/launch_plan.h"
#include "platform/namespace_kind.h"
#include "platform/pidfd.h"

namespace sandbox::platform {

namespace {

constexpr NamespaceKind kKinds[] = {NamespaceKind::kNet,    NamespaceKind::kIpc, NamespaceKind::kUts,
                                    NamespaceKind::kCgroup, NamespaceKind::kPid, NamespaceKind::kMount,
                                    NamespaceKind::kTime,   NamespaceKind::kUser};

struct Surroundings {
  std::vector<OpenNamespace> namespaces;  // those that the caller is not in already
  UniqueFd root;                          // need not be that of the mount namespace
};

Result<Surroundings> open_surroundings_of(pid_t target) {
  Surroundings opened;
  for (NamespaceKind kind : kKinds) {
    if (shares_namespace(target, kind)) continue;
    const std::string path = fmt::format("/proc/{}/ns/{}", target, file_of(kind));
    opened.namespaces.emplace_back(kind,
                                   UniqueFd(TRY(host_result(open(path.c_str(), O_RDONLY | O_CLOEXEC)))));
  }
  const std::string root = fmt::format("/proc/{}/root", target);
  opened.root = UniqueFd(TRY(host_result(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))));
  return opened;
}

Result<void> enter(const Surroundings& target) {
  NamespaceKind refused;
  TRY(enter_namespaces(target.namespaces, refused));
  // Entering the mount namespace made its root the process's.
  TRY(host_status(fchdir(target.root.get())));
  return host_status(chroot("."));
}

// In a process of its own: its child is in the namespaces, and a child of its parent.
[[noreturn]] void make_joined_child(const Surroundings& target, const LaunchPlan& plan) {
  LaunchReport report{};
  report.step = LaunchStep::kJoin;
  auto entered = enter(target);
  if (!entered) {
    report.error = entered.error().value();
  } else {
    long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) run_launch_child(plan);
    if (child > 0) _exit(0);
    report.error = errno;
  }
  (void)!write(plan.channel, &report, sizeof report);
  _exit(1);
}

}  // namespace

Result<JoinedProcess> join_workload(pid_t target, const LaunchOptions& options, int reserved_socket,
                                    std::string& context) {
  context = "find the workload's namespaces";
  const Surroundings surroundings = TRY(open_surroundings_of(target));
  context = "make a channel to the process";
  SocketPair channel = TRY(make_channel());
  PreparedPlan prepared(options);
  prepared.plan.place = LaunchPlan::Place::kJoined;
  prepared.plan.channel = channel.theirs.get();
  prepared.plan.reserved_socket = reserved_socket;
  context = "start the process";
  const int mine = channel.mine.get();
  pid_t helper = fork();
  if (helper < 0) return last_error();
  if (helper == 0) {
    close(mine);  // or its child would never see the end of the stream
    make_joined_child(surroundings, prepared.plan);
  }
  channel.theirs.reset();
  while (waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
  (void)!send(channel.mine.get(), "", 1, MSG_NOSIGNAL);
  ReceivedReport received = TRY(receive_report(channel.mine, 0));
  context = step_text(received.report.step);
  if (received.report.step != LaunchStep::kReady) return err(received.report.error);
  if (received.sender <= 0) return err(ESRCH);
  JoinedProcess process{.tid = received.sender, .channel = std::move(channel.mine)};
  process.pidfd = TRY(open_pidfd(process.tid));
  return process;
}

Result<void> wait_for_exec(const JoinedProcess& process, std::string& context) {
  auto received = receive_report(process.channel, 0);
  if (!received) return {};  // closed by its exec, or by its death, of which whoever waits for it hears
  context = step_text(received->report.step);
  return err(received->report.error);
}

}  // namespace sandbox::platform
