// Priorities, and sysctls of namespaces.
#include "tools/oci/process_settings.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/host_file.h"
#include "platform/namespace_kind.h"
#include "tools/messages.h"
#include "tools/user_lookup.h"

namespace sandbox::tools::oci {

namespace {

// struct sched_attr of sched_setattr(2); glibc 2.36 has none.
struct SchedulerAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

std::unexpected<RunFailure> cannot_set(const std::string& name, Errno error) {
  return failure(fmt::format("set {}", name), error, "leave it out, or run the engine as root");
}

// CAP_NET_BIND_SERVICE counts in the sandbox's user namespace, and this network may belong to another one.
enum class LowPorts { kAsTheyAre, kForEverybody };

LowPorts low_ports_of(const Bundle& bundle) {
  constexpr uint64_t kBind = uint64_t{1} << CAP_NET_BIND_SERVICE;
  const bool is_joined = bundle.joined(platform::NamespaceKind::kNet) != nullptr;
  const bool may_bind = (bundle.process.capabilities.bounding & kBind) != 0;
  return may_bind && is_joined && bundle.has_own(platform::NamespaceKind::kNet) ? LowPorts::kForEverybody
                                                                                : LowPorts::kAsTheyAre;
}

// In a process of its own, which enters the namespaces. `report` gets what failed.
[[noreturn]] void write_sysctls(const Bundle& bundle, LowPorts low_ports, pid_t pid, int report) {
  if (auto entered = enter_namespaces_of(pid); !entered) {
    ::dprintf(report, "its namespaces cannot be entered (%s)", entered.error().name().data());
    ::_exit(1);
  }
  for (const auto& [name, value] : bundle.sysctls) {
    auto written = platform::write_host_file("/proc/sys/" + name, value);
    if (written) continue;
    const std::string reason = fmt::format("linux.sysctl.{}: {}", name, reason_in_words(written.error()));
    ::dprintf(report, "%s", reason.c_str());
    ::_exit(1);
  }
  if (low_ports == LowPorts::kForEverybody)
    (void)platform::write_host_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  ::_exit(0);
}

}  // namespace

void add_home(std::vector<std::string>& environment, const std::string& rootfs, uid_t uid) {
  for (const std::string& variable : environment)
    if (variable.starts_with("HOME=")) return;
  auto user = look_up_user(UserDatabase::of_rootfs(rootfs), std::to_string(uid));
  const bool is_known = user && !user->home.empty();
  environment.push_back("HOME=" + (is_known ? user->home : "/"));
}

Result<void> enter_namespaces_of(pid_t pid) {
  using platform::NamespaceKind;
  for (NamespaceKind kind : {NamespaceKind::kNet, NamespaceKind::kIpc, NamespaceKind::kUts}) {
    if (platform::shares_namespace(pid, kind)) continue;
    const std::string path = fmt::format("/proc/{}/ns/{}", pid, platform::file_of(kind));
    UniqueFd fd = UniqueFd(TRY(host_result(::open(path.c_str(), O_RDONLY | O_CLOEXEC))));
    TRY(host_status(::setns(fd.get(), 0)));
  }
  return {};
}

Configured<void> apply_process_settings(const Process& process, pid_t pid) {
  if (process.oom_score_adj) {
    auto written = platform::write_host_file(fmt::format("/proc/{}/oom_score_adj", pid),
                                             std::to_string(*process.oom_score_adj));
    if (!written) return cannot_set("process.oomScoreAdj", written.error());
  }
  constexpr int kOfProcess = 1;  // IOPRIO_WHO_PROCESS; linux/ioprio.h is no C++
  if (process.io_priority && ::syscall(SYS_ioprio_set, kOfProcess, pid, *process.io_priority) < 0)
    return cannot_set("process.ioPriority", Errno::last());
  if (process.scheduler) {
    const Scheduler& wanted = *process.scheduler;
    SchedulerAttributes attributes{.size = sizeof attributes,
                                   .policy = wanted.policy,
                                   .flags = wanted.flags,
                                   .nice = wanted.nice,
                                   .priority = static_cast<uint32_t>(wanted.priority),
                                   .runtime = wanted.runtime,
                                   .deadline = wanted.deadline,
                                   .period = wanted.period};
    if (::syscall(SYS_sched_setattr, pid, &attributes, 0) < 0)
      return cannot_set("process.scheduler", Errno::last());
  }
  return {};
}

Configured<void> set_cpus(const std::vector<int>& cpus, pid_t pid) {
  if (cpus.empty()) return {};
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus)
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  if (::sched_setaffinity(pid, sizeof set, &set) == 0) return {};
  return failure("set process.execCPUAffinity", Errno::last(), "CPUs that the container has");
}

Configured<void> apply_sysctls(const Bundle& bundle, pid_t pid) {
  const LowPorts low_ports = low_ports_of(bundle);
  if (bundle.sysctls.empty() && low_ports == LowPorts::kAsTheyAre) return {};
  int report[2];
  if (::pipe2(report, O_CLOEXEC) < 0) return cannot_set("linux.sysctl", Errno::last());
  UniqueFd mine(report[0]), its(report[1]);
  pid_t child = ::fork();
  if (child < 0) return cannot_set("linux.sysctl", Errno::last());
  if (child == 0) write_sysctls(bundle, low_ports, pid, its.get());
  its.reset();
  std::string reason;
  char chunk[512];
  for (ssize_t size; (size = ::read(mine.get(), chunk, sizeof chunk)) > 0;) reason.append(chunk, size);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status == 0 || bundle.sysctls.empty()) return {};
  return failure("set linux.sysctl", reason, "a sysctl and a value that the kernel takes");
}

}  // namespace sandbox::tools::oci
