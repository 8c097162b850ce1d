// probe_host: what `sandbox info` reports, each thing tried in a child process.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "platform/host_mounts.h"
#include "platform/result_tap.h"
#include "sentry/failure.h"

namespace sandbox {

namespace {

using State = HostFeature::State;

// Runs `attempt` in a child, so that nothing of it stays. Errors: what the attempt returned, or fork's.
template <typename Attempt>
Result<void> try_in_child(Attempt attempt) {
  pid_t child = ::fork();
  if (child < 0) return last_error();
  if (child == 0) {
    Result<void> done = attempt();
    ::_exit(done ? 0 : done.error().value());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return last_error();
  if (!WIFEXITED(status)) return err(EIO);
  if (WEXITSTATUS(status) != 0) return err(WEXITSTATUS(status));
  return {};
}

std::string first_line_of(const char* path) {
  UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  char text[64];
  ssize_t length = file ? ::read(file.get(), text, sizeof text) : -1;
  std::string_view line(text, std::max<ssize_t>(length, 0));
  return std::string(line.substr(0, line.find('\n')));
}

HostFeature probe_platform(const char* name, platform::EngineKind kind, std::string consequence) {
  auto support = platform::probe_engine(kind);
  HostFeature feature{.name = name,
                      .state = support.is_supported ? State::kWorks : State::kMissing,
                      .detail = support.detail};
  if (!support.is_supported) feature.consequence = std::move(consequence);
  return feature;
}

// What stands behind a refused user namespace, and the command that allows it.
std::string user_namespace_remedy() {
  if (first_line_of("/proc/sys/user/max_user_namespaces") == "0")
    return "nothing can run; `sysctl user.max_user_namespaces=10000` allows it";
  if (first_line_of("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    return "nothing can run as an ordinary user; `sysctl kernel.unprivileged_userns_clone=1` allows it";
  if (first_line_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
    return "nothing can run as an ordinary user; give the binary an AppArmor profile with `userns,`, or "
           "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`";
  return "nothing can run; inside a container its seccomp profile must allow unshare(CLONE_NEWUSER)";
}

HostFeature probe_user_namespace() {
  auto entered = try_in_child([]() -> Result<void> {
    TRY(platform::enter_sentry_namespaces());
    return {};
  });
  if (entered)
    return {.name = "user namespaces", .state = State::kWorks, .detail = "user and mount namespace entered"};
  return {.name = "user namespaces",
          .state = State::kMissing,
          .detail = reason_in_words(entered.error()),
          .consequence = user_namespace_remedy()};
}

HostFeature probe_id_range() {
  auto namespaces = try_in_child([]() -> Result<void> {
    auto entered = TRY(platform::enter_sentry_namespaces());
    uint64_t ids = 0;
    for (const IdMap::Range& range : entered.uid_map.ranges()) ids += range.count;
    if (ids <= 1) return err(ERANGE);
    return {};
  });
  if (namespaces)
    return {.name = "user id range", .state = State::kWorks, .detail = "more than one id can be mapped"};
  return {.name = "user id range",
          .state = State::kDegraded,
          .detail = "only the caller's own id can be mapped",
          .consequence =
              "inside, other users' files show as 65534 and setuid to them fails; as an ordinary user, "
              "install `uidmap` and add lines for yourself to /etc/subuid and /etc/subgid"};
}

HostFeature probe_namespace(const char* name, int flag, State without, const char* consequence) {
  auto unshared = try_in_child([flag]() -> Result<void> {
    TRY(platform::enter_sentry_namespaces());
    return host_status(::unshare(flag));
  });
  if (unshared) return {.name = name, .state = State::kWorks, .detail = "can be created"};
  return {.name = name,
          .state = without,
          .detail = reason_in_words(unshared.error()),
          .consequence = consequence};
}

HostFeature probe_mounts() {
  auto mounted = try_in_child([]() -> Result<void> {
    TRY(platform::enter_sentry_namespaces());
    auto mounter = platform::make_host_mounter();
    TRY(mounter->new_tmpfs({.size_bytes = 65536}));
    TRY(mounter->clone_tree(AT_FDCWD, "/", MountAccess::kReadOnly, MountDevices::kHidden));
    return {};
  });
  if (mounted)
    return {.name = "private mounts",
            .state = State::kWorks,
            .detail = "tmpfs and read-only copies of the host's tree"};
  return {.name = "private mounts",
          .state = State::kMissing,
          .detail = reason_in_words(mounted.error()),
          .consequence = "nothing can run; the kernel is too old, or a container's profile forbids mount"};
}

HostFeature probe_thread_pidfds() {
  constexpr unsigned kPidfdThread = O_EXCL;
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), kPidfdThread)));
  if (pidfd) return {.name = "pidfds of threads", .state = State::kWorks, .detail = "PIDFD_THREAD"};
  return {.name = "pidfds of threads",
          .state = State::kDegraded,
          .detail = "no PIDFD_THREAD (Linux 6.9)",
          .consequence =
              "threads with a descriptor table of their own, or whose main thread has ended, get EBADF "
              "from calls that look at a descriptor"};
}

HostFeature probe_result_tap() {
  auto tap = platform::ResultTap::create();
  const Result<void> opened = tap ? (*tap)->open() : Result<void>(std::unexpected(tap.error()));
  if (opened)
    return {
        .name = "results without stops", .state = State::kWorks, .detail = "BPF at the end of system calls"};
  return {.name = "results without stops",
          .state = State::kDegraded,
          .detail = reason_in_words(opened.error()),
          .consequence =
              "`trace --host` stops a program at the end of each call, too: calls take up to twice as long; "
              "needs root on the host"};
}

}  // namespace

std::vector<HostFeature> probe_host() {
  std::vector<HostFeature> features;
  features.push_back(probe_platform("notify engine", platform::EngineKind::kNotify,
                                    "the ptrace engine is used: emulated calls take about twice as long"));
  features.push_back(probe_platform("ptrace engine", platform::EngineKind::kPtrace,
                                    "nothing can run; kernel.yama.ptrace_scope must be below 3"));
  features.push_back(probe_user_namespace());
  if (features.back().state == State::kMissing) return features;
  features.push_back(probe_id_range());
  features.push_back(probe_mounts());
  features.push_back(probe_namespace("PID namespace", CLONE_NEWPID, State::kMissing, "nothing can run"));
  features.push_back(probe_namespace("IPC namespace", CLONE_NEWIPC, State::kMissing,
                                     "nothing can run; user.max_ipc_namespaces must not be 0"));
  features.push_back(
      probe_namespace("UTS namespace", CLONE_NEWUTS, State::kDegraded, "--hostname has no effect"));
  features.push_back(probe_namespace("cgroup namespace", CLONE_NEWCGROUP, State::kDegraded,
                                     "/proc/self/cgroup shows the host's path"));
  features.push_back(probe_namespace(
      "network namespace", CLONE_NEWNET, State::kMissing,
      "only `--net host` can run, on the host's network; user.max_net_namespaces must not be 0"));
  features.push_back(probe_thread_pidfds());
  features.push_back(probe_result_tap());
  return features;
}

}  // namespace sandbox
