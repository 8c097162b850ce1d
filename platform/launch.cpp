// The sentry's side of a launch.
#include "platform/launch.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "platform/filter.h"
#include "platform/id_map_files.h"
#include "platform/inside_images.h"
#include "platform/launch_child.h"
#include "platform/launch_plan.h"
#include "platform/pid_namespace_launcher.h"
#include "platform/pidfd.h"
#include "platform/seccomp_profile.h"

namespace sandbox::platform {

namespace {

unsigned long clone_flags(const LaunchOptions& options) {
  unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD;
  if (std::ranges::find(options.namespaces, NamespaceKind::kPid) != options.namespaces.end())
    flags |= CLONE_NEWPID;
  if (options.parent == LaunchOptions::Parent::kParentOfSentry) flags |= CLONE_PARENT;
  return flags;
}

// Calls that the filter lets pass are confined by these namespaces alone (System V IPC and message queues;
// the host's network and its abstract sockets), and clocks that were asked for are not the host's: without
// one that was asked for, nothing may run.
const char* confining_step(NamespaceKind kind) {
  switch (kind) {
    case NamespaceKind::kIpc:
      return "create the workload's IPC namespace";
    case NamespaceKind::kNet:
      return "create the workload's network namespace";
    case NamespaceKind::kTime:
      return "create the workload's time namespace";
    default:
      return nullptr;
  }
}

Result<SocketPair> make_socket_pair(int type) {
  int ends[2];
  TRY(host_status(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends)));
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> map_workload_ids(pid_t child, const LaunchOptions& options) {
  for (IdKind kind : {IdKind::kUser, IdKind::kGroup}) {
    IdMap own = TRY(read_own_id_map(kind));
    const IdMap& wanted = kind == IdKind::kUser ? options.uid_map : options.gid_map;
    TRY(write_id_map(child, kind, id_map_lines(wanted, own)));
  }
  return {};
}

// Before anything is forked from it or a cgroup namespace is made, whose root the groups then are.
Result<void> join_cgroups(pid_t child, const LaunchOptions& options) {
  const std::string number = std::to_string(child);
  for (int file : options.cgroup_join_files) TRY(host_status(pwrite(file, number.data(), number.size(), 0)));
  return {};
}

// Lets the child go on in its namespaces.
Result<void> release_child(const LaunchedProcess& process, const LaunchOptions& options,
                           std::string& context) {
  context = "map the workload's user and group ids";
  TRY(map_workload_ids(process.init_tid, options));
  context = "put the workload into its control groups";
  TRY(join_cgroups(process.init_tid, options));
  context = "start the first process";
  return host_status(write(process.channel.get(), "", 1));
}

// `callers_end`: of the channel, or the process would never see the end of the stream. Errors: clone's.
Result<pid_t> clone_first_process(const LaunchOptions& options, const LaunchPlan& plan, int callers_end) {
  if (options.pid_launcher != nullptr)
    return options.pid_launcher->launch(clone_flags(options), plan, callers_end);
  long child = syscall(SYS_clone, clone_flags(options), 0, 0, 0, 0);
  if (child < 0) return last_error();
  if (child == 0) {
    close(callers_end);
    run_launch_child(plan);
  }
  return static_cast<pid_t>(child);
}

}  // namespace

const char* step_text(LaunchStep step) {
  switch (step) {
    case LaunchStep::kReady:
      return "start the first process";
    case LaunchStep::kJoin:
      return "enter the workload's namespaces";
    case LaunchStep::kNamespaces:
      return "bring the loopback interface up";
    case LaunchStep::kClocks:
      return "set the clocks of the workload's time namespace";
    case LaunchStep::kRoot:
      return "give the workload its empty root";
    case LaunchStep::kHostname:
      return "set the host name";
    case LaunchStep::kInit:
      return "start the first process under its init";
    case LaunchStep::kCredentials:
      return "set the workload's ids and capabilities";
    case LaunchStep::kDescriptors:
      return "pass descriptors to the workload";
    case LaunchStep::kSession:
      return "start a session for the program";
    case LaunchStep::kLimits:
      return "set the program's resource limits and personality";
    case LaunchStep::kFilter:
      return "install the seccomp filter";
    case LaunchStep::kExec:
      return "execute the program";
  }
  return "start the first process";
}

Result<ReceivedReport> receive_report(const UniqueFd& channel, int flags) {
  ReceivedReport received{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec data{&received.report, sizeof received.report};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count;
  do {
    count = recvmsg(channel.get(), &message, flags);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(sizeof received.report)) return err(ECHILD);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
    ucred sender;
    std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
    received.sender = sender.pid;
  }
  return received;
}

Result<SocketPair> make_channel() {
  SocketPair channel = TRY(make_socket_pair(SOCK_STREAM));
  const int on = 1;
  TRY(host_status(setsockopt(channel.mine.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on)));
  return channel;
}

void abandon_launch(const LaunchedProcess& process) {
  kill(process.init_tid, SIGKILL);
  waitpid(process.init_tid, nullptr, __WALL);
}

Result<void> finish_launch(LaunchedProcess& process, std::string& context) {
  ReceivedReport received = TRY(receive_report(process.channel, 0));
  context = step_text(received.report.step);
  if (received.report.step != LaunchStep::kReady) return err(received.report.error);
  if (received.sender <= 0) return err(ESRCH);
  process.first_tid = received.sender;
  process.init_pidfd = TRY(open_pidfd(process.init_tid));
  process.first_pidfd = TRY(open_pidfd(process.first_tid));
  for (size_t i = 0; i < kOptionalNamespaceCount; ++i) {
    int error = received.report.namespace_errors[i];
    if (error == 0) continue;
    if (const char* step = confining_step(kOptionalNamespaces[i])) {
      context = step;
      return err(error);
    }
    process.missing_namespaces.emplace_back(kOptionalNamespaces[i], Errno(error));
  }
  return {};
}

Result<LaunchedProcess> begin_launch(const LaunchOptions& options, std::string& context) {
  context = "make a channel to the first process";
  SocketPair channel = TRY(make_channel());

  LaunchedProcess process;
  PreparedPlan prepared(options);
  LaunchPlan& plan = prepared.plan;
  if (options.engine == EngineKind::kPtrace) {
    SocketPair descriptors = TRY(make_socket_pair(SOCK_SEQPACKET));
    process.descriptor_sender = std::move(descriptors.mine);
    process.descriptor_receiver = std::move(descriptors.theirs);
    plan.reserved_socket = process.descriptor_receiver.get();
  }
  plan.channel = channel.theirs.get();

  context = "create user, PID and mount namespaces";
  process.init_tid = TRY(clone_first_process(options, plan, channel.mine.get()));
  process.has_pid_namespace = (clone_flags(options) & CLONE_NEWPID) != 0;
  process.channel = std::move(channel.mine);
  channel.theirs.reset();
  if (auto released = release_child(process, options, context); !released) {
    abandon_launch(process);
    return std::unexpected(released.error());
  }
  return process;
}

Result<void> release_process(const UniqueFd& channel, const std::string& path,
                             const std::vector<std::string>& argv,
                             const std::vector<std::string>& environment) {
  CommandHead head{};
  head.argc = argv.size();
  head.envc = environment.size();
  std::vector<uint64_t> offsets;
  std::string strings;
  const size_t strings_offset = sizeof head + (argv.size() + environment.size() + 2) * sizeof(uint64_t);
  auto add_string = [&](const std::string& text) {
    uint64_t offset = strings_offset + strings.size();
    strings.append(text.c_str(), text.size() + 1);
    return offset;
  };
  for (const auto* list : {&argv, &environment}) {
    for (const std::string& text : *list) offsets.push_back(add_string(text));
    offsets.push_back(0);
  }
  head.path = add_string(path);
  head.size = strings_offset + strings.size();

  std::string message(reinterpret_cast<const char*>(&head), sizeof head);
  message.append(reinterpret_cast<const char*>(offsets.data()), offsets.size() * sizeof(uint64_t));
  message += strings;
  for (size_t sent = 0; sent < message.size();) {
    ssize_t count = send(channel.get(), message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    sent += count;
  }
  return {};
}

std::optional<LaunchFailure> read_launch_failure(const UniqueFd& channel) {
  auto received = receive_report(channel, MSG_DONTWAIT);
  if (!received) return std::nullopt;
  LaunchFailure failure{Errno(received->report.error), nullptr};
  if (received->report.step != LaunchStep::kExec) failure.step = step_text(received->report.step);
  return failure;
}

}  // namespace sandbox::platform
