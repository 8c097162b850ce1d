// From a fresh fork of the sentry to the workload's first execve.
#include "platform/launch_child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>

#include "platform/loader/loader_abi.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace sandbox::platform {

namespace {

constexpr unsigned kMfdExec = 0x10;  // MFD_EXEC, Linux 6.3: needed where vm.memfd_noexec is 1

class LaunchChild {
 public:
  explicit LaunchChild(const LaunchPlan& plan) : plan_(plan), channel_(plan.channel) {}
  [[noreturn]] void run();

 private:
  bool send_report(LaunchStep step);
  [[noreturn]] void fail(LaunchStep step);
  void check(LaunchStep step, long status) {
    if (status < 0) fail(step);
  }

  void enter_optional_namespaces();
  void raise_loopback();
  void enter_time_namespace();
  void make_procfs();
  void build_root();
  void write_loader();
  [[noreturn]] void become_init(pid_t program);
  [[noreturn]] void become_program();
  CommandHead* read_command();
  void set_capabilities(const CapabilitySets& wanted);
  void take_ids();
  void drop_capabilities(const CapabilitySets& kept);
  void place_descriptors();
  void start_session();
  void set_limits();
  int install_filter();
  void install_profile();
  [[noreturn]] void execute(CommandHead* command, int listener);

  const LaunchPlan& plan_;
  int channel_;
  LaunchReport report_{};
};

bool LaunchChild::send_report(LaunchStep step) {
  report_.step = step;
  const LaunchReport report = report_;
  return write(channel_, &report, sizeof report) == sizeof report;
}

void LaunchChild::fail(LaunchStep step) {
  report_.error = errno;
  send_report(step);
  _exit(127);
}

// One at a time, because each may be refused by itself.
void LaunchChild::enter_optional_namespaces() {
  for (size_t i = 0; i < kOptionalNamespaceCount; ++i) {
    if (plan_.unshare_flags[i] != 0 && unshare(plan_.unshare_flags[i]) < 0)
      report_.namespace_errors[i] = errno;
  }
  constexpr size_t kTime = kOptionalNamespaceCount - 2, kNet = kOptionalNamespaceCount - 1;
  auto is_entered = [&](size_t i) { return plan_.unshare_flags[i] != 0 && report_.namespace_errors[i] == 0; };
  if (is_entered(kNet)) raise_loopback();
  if (is_entered(kTime)) enter_time_namespace();
}

// What was made is for children, who may be born once its clocks are set; Linux before 6.3 gives it to nobody
// at an exec.
void LaunchChild::enter_time_namespace() {
  if (!plan_.clock_offsets.empty()) {
    int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    check(LaunchStep::kClocks, file);
    check(LaunchStep::kClocks, write(file, plan_.clock_offsets.data(), plan_.clock_offsets.size()));
    close(file);
  }
  int made = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
  check(LaunchStep::kClocks, made);
  check(LaunchStep::kClocks, setns(made, CLONE_NEWTIME));
  close(made);
}

void LaunchChild::raise_loopback() {
  int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(LaunchStep::kNamespaces, socket_fd);
  ifreq request{.ifr_ifrn = {.ifrn_name = "lo"}};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  check(LaunchStep::kNamespaces, ioctl(socket_fd, SIOCSIFFLAGS, &request));
  close(socket_fd);
}

void LaunchChild::write_loader() {
  int file = open("l", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0555);
  check(LaunchStep::kRoot, file);
  ssize_t count = write(file, plan_.loader.data(), plan_.loader.size());
  if (count >= 0 && static_cast<size_t>(count) != plan_.loader.size()) errno = ENOSPC;
  check(LaunchStep::kRoot, static_cast<size_t>(count) == plan_.loader.size() ? 0 : -1);
  check(LaunchStep::kRoot, fchmod(file, 0555));
  close(file);
}

// For the host view: only a process of the PID namespace can, and only while the host's procfs is in sight.
// In a PID namespace of somebody else's it is refused.
void LaunchChild::make_procfs() {
  check(LaunchStep::kRoot, mkdir(kProcfsPlace + 1, 0555));
  (void)!mount("proc", kProcfsPlace + 1, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
}

// A root in which nothing but the loader can be found: an empty read-only tmpfs, the old root detached. Apart
// from the namespace's, it is a mount of its own of the same tmpfs, which no namespace has: no path leads
// from it to what will cover the namespace's root.
void LaunchChild::build_root() {
  check(LaunchStep::kRoot, mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
  static constexpr const char* kMountPoints[] = {"/tmp", "/proc", "/usr", "/etc"};
  const char* place = nullptr;
  for (const char* candidate : kMountPoints) {
    if (mount("sandbox", candidate, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,nr_inodes=4,mode=0555") == 0) {
      place = candidate;
      break;
    }
  }
  check(LaunchStep::kRoot, place != nullptr ? 0 : -1);
  check(LaunchStep::kRoot, chdir(place));
  write_loader();
  const bool is_apart = plan_.options->root == LaunchOptions::Root::kApart;
  if (is_apart) {
    check(LaunchStep::kRoot, mkdir("root", 0555));
    make_procfs();
  }
  check(LaunchStep::kRoot,
        mount("none", ".", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr));
  // Both names are the new root: the old one ends up mounted over it and is then taken away.
  check(LaunchStep::kRoot, syscall(SYS_pivot_root, ".", "."));
  check(LaunchStep::kRoot, umount2(".", MNT_DETACH));
  if (is_apart) {
    check(LaunchStep::kRoot, mount("/", "/root", nullptr, MS_BIND, nullptr));
    check(LaunchStep::kRoot, chroot("/root"));
    check(LaunchStep::kRoot, umount2("/", MNT_DETACH));
  }
  check(LaunchStep::kRoot, chdir("/"));
}

// Executes the built-in init, which keeps no descriptor and no capability, and which nobody inside can trace.
// While the sentry lives it holds the channel's other end; were it gone already, the program sees the
// stream's end.
void LaunchChild::become_init(pid_t program) {
  int file = static_cast<int>(syscall(SYS_memfd_create, "sandbox-init", MFD_CLOEXEC | kMfdExec));
  if (file < 0 && errno == EINVAL)
    file = static_cast<int>(syscall(SYS_memfd_create, "sandbox-init", MFD_CLOEXEC));
  check(LaunchStep::kInit, file);
  check(LaunchStep::kInit, dup3(file, 0, O_CLOEXEC));
  syscall(SYS_close_range, 1, ~0U, 0);
  if (write(0, plan_.init.data(), plan_.init.size()) != static_cast<ssize_t>(plan_.init.size())) _exit(127);
  drop_capabilities({});
  char number[16];
  char* digit = number + sizeof number - 1;
  *digit = '\0';
  for (; program > 0; program /= 10) *--digit = static_cast<char>('0' + program % 10);
  char name[] = "sandbox-init";
  char* argv[] = {name, digit, nullptr};
  char* environment[] = {nullptr};
  syscall(SYS_execveat, 0, "", argv, environment, AT_EMPTY_PATH);
  _exit(127);  // and the program ends with its PID 1
}

// Waits to be traced and told what to run. The sentry's death is the end of the stream.
CommandHead* LaunchChild::read_command() {
  CommandHead head;
  if (recv(channel_, &head, sizeof head, MSG_WAITALL) != sizeof head) _exit(127);
  void* memory = mmap(nullptr, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail(LaunchStep::kExec);
  auto* command = new (memory) CommandHead(head);
  size_t rest = head.size - sizeof head;
  if (rest > 0 && recv(channel_, command + 1, rest, MSG_WAITALL) != static_cast<ssize_t>(rest)) _exit(127);
  auto* words = reinterpret_cast<uint64_t*>(command + 1);
  for (size_t i = 0; i < head.argc + head.envc + 2; ++i) {
    if (words[i] != 0) words[i] += reinterpret_cast<uint64_t>(command);
  }
  return command;
}

// Of those that are permitted now. After a change of ids, which clears them, this makes them effective again.
void LaunchChild::set_capabilities(const CapabilitySets& wanted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  check(LaunchStep::kCredentials, syscall(SYS_capget, &header, data));
  for (int half = 0; half < 2; ++half) {
    const uint32_t possible = data[half].permitted;
    auto part = [&](uint64_t set) { return possible & static_cast<uint32_t>(set >> (32 * half)); };
    data[half].permitted = part(wanted.permitted);
    data[half].effective = part(wanted.effective & wanted.permitted);
    data[half].inheritable = part(wanted.inheritable);
  }
  check(LaunchStep::kCredentials, syscall(SYS_capset, &header, data));
}

// The workload's ids with all of the new namespace's capabilities: what is made before the program runs then
// belongs to an id that the namespace has.
void LaunchChild::take_ids() {
  const LaunchOptions& options = *plan_.options;
  // Without a mapped range Linux forbids setgroups (user_namespaces(7)); the groups then stay the user's own.
  if (syscall(SYS_setgroups, plan_.groups.size(), plan_.groups.data()) < 0 && errno != EPERM) {
    fail(LaunchStep::kCredentials);
  }
  check(LaunchStep::kCredentials, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  check(LaunchStep::kCredentials, syscall(SYS_setresgid, options.gid, options.gid, options.gid));
  check(LaunchStep::kCredentials, syscall(SYS_setresuid, options.uid, options.uid, options.uid));
  constexpr uint64_t kAll = ~uint64_t{0};
  set_capabilities({.permitted = kAll, .effective = kAll});
  // Changing ids made the process undumpable, which until its exec would keep the sentry out as well.
  check(LaunchStep::kCredentials, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

// For good: what leaves the bounding set no exec brings back.
void LaunchChild::drop_capabilities(const CapabilitySets& kept) {
  for (int capability = 0; capability < 64; ++capability) {
    if ((kept.bounding >> capability) & 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;  // past the last one the kernel has
      fail(LaunchStep::kCredentials);
    }
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  set_capabilities(kept);
  // What is neither permitted nor inheritable is refused, and is then not ambient either.
  for (int capability = 0; capability < 64; ++capability)
    if ((kept.ambient >> capability) & 1) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  check(LaunchStep::kCredentials, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

// The channel and then the passed descriptors move out of the way of all targets, then into place.
void LaunchChild::place_descriptors() {
  const int reserved_number = plan_.reserved_socket >= 0 ? plan_.reserved_number : -1;
  const int above = std::max(plan_.highest_target, reserved_number) + 1;
  // A descriptor beyond the soft limit stays usable once it is there.
  rlimit limit;
  check(LaunchStep::kDescriptors, getrlimit(RLIMIT_NOFILE, &limit));
  rlimit raised{limit.rlim_max, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);
  channel_ = fcntl(channel_, F_DUPFD_CLOEXEC, above);
  if (channel_ < 0) _exit(127);
  int reserved = plan_.reserved_socket;
  if (reserved >= 0) check(LaunchStep::kDescriptors, reserved = fcntl(reserved, F_DUPFD_CLOEXEC, above));
  for (size_t i = 0; i < plan_.descriptors.size(); ++i) {
    plan_.copies[i] = fcntl(plan_.descriptors[i].source, F_DUPFD_CLOEXEC, above);
    check(LaunchStep::kDescriptors, plan_.copies[i]);
  }
  for (size_t i = 0; i < plan_.descriptors.size(); ++i) {
    check(LaunchStep::kDescriptors, dup3(plan_.copies[i], plan_.descriptors[i].target, 0));
  }
  if (reserved >= 0) check(LaunchStep::kDescriptors, dup3(reserved, plan_.reserved_number, 0));

  auto is_kept = [this](int number) {
    if (number == channel_ || (plan_.reserved_socket >= 0 && number == plan_.reserved_number)) return true;
    return std::any_of(plan_.descriptors.begin(), plan_.descriptors.end(),
                       [number](const PassedFd& passed) { return passed.target == number; });
  };
  unsigned begin = 0;
  for (int number = 0; number <= channel_; ++number) {
    if (!is_kept(number)) continue;
    if (static_cast<unsigned>(number) > begin) syscall(SYS_close_range, begin, number - 1, 0);
    begin = number + 1;
  }
  check(LaunchStep::kDescriptors, syscall(SYS_close_range, begin, ~0U, 0));
  check(LaunchStep::kDescriptors, setrlimit(RLIMIT_NOFILE, &limit));
}

void LaunchChild::start_session() {
  if (plan_.options->session == LaunchOptions::Session::kInherited) return;
  check(LaunchStep::kSession, setsid());
  if (plan_.options->session == LaunchOptions::Session::kOwnTerminal)
    check(LaunchStep::kSession, ioctl(STDIN_FILENO, TIOCSCTTY, 0));
}

void LaunchChild::set_limits() {
  for (const ResourceLimit& wanted : plan_.options->limits) {
    if (wanted.resource == RLIMIT_CORE) continue;
    check(LaunchStep::kLimits, setrlimit(static_cast<__rlimit_resource>(wanted.resource), &wanted.limit));
  }
  if (plan_.options->personality)
    check(LaunchStep::kLimits, syscall(SYS_personality, *plan_.options->personality));
}

// The filter; its listener, or -1 on the ptrace engine.
int LaunchChild::install_filter() {
  sock_fprog program{static_cast<unsigned short>(plan_.filter.size()),
                     const_cast<sock_filter*>(plan_.filter.data())};
  unsigned long listener_flag =
      plan_.options->engine == EngineKind::kNotify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  unsigned long flags = listener_flag ? listener_flag | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0;
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  check(LaunchStep::kFilter, listener);
  return listener_flag ? static_cast<int>(listener) : -1;
}

// Behind the filter, which has judged this call too: of two that restrict, the kernel takes the stricter
// word.
void LaunchChild::install_profile() {
  if (plan_.profile.empty()) return;
  sock_fprog program{static_cast<unsigned short>(plan_.profile.size()),
                     const_cast<sock_filter*>(plan_.profile.data())};
  check(LaunchStep::kFilter, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan_.profile_flags, &program));
}

void LaunchChild::execute(CommandHead* command, int listener) {
  auto* words = reinterpret_cast<uint64_t*>(command + 1);
  uint64_t path = reinterpret_cast<uint64_t>(command) + command->path;
  uint64_t* environment = words + command->argc + 1;
  // Last of all: whatever is computed after it may use the register.
  register long listener_register asm("r10") = listener;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(SYS_execve), "D"(path), "S"(words), "d"(environment), "r"(listener_register)
               : "rcx", "r11", "memory");
  errno = static_cast<int>(-result);
  fail(LaunchStep::kExec);
}

void LaunchChild::become_program() {
  // Whoever waits for the end of the launcher's own descriptors need not wait for the program's start.
  place_descriptors();
  if (!send_report(LaunchStep::kReady)) _exit(127);
  CommandHead* command = read_command();

  umask(plan_.options->umask);
  // 1 is special to Linux: unlike 0 it also keeps a core from being piped to a handler of the host.
  rlimit no_core{1, 1};
  setrlimit(RLIMIT_CORE, &no_core);
  drop_capabilities(plan_.options->capabilities);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  start_session();
  set_limits();
  int listener = install_filter();
  install_profile();
  execute(command, listener);
}

void LaunchChild::run() {
  char go;
  if (read(channel_, &go, 1) != 1) _exit(127);  // the ids are mapped, or the sentry is gone
  take_ids();
  if (plan_.place == LaunchPlan::Place::kJoined) become_program();
  enter_optional_namespaces();
  const LaunchOptions& options = *plan_.options;
  if (!options.hostname.empty() && report_.namespace_errors[1] == 0) {
    check(LaunchStep::kHostname, sethostname(options.hostname.data(), options.hostname.size()));
  }
  if (!options.domainname.empty() && report_.namespace_errors[1] == 0) {
    check(LaunchStep::kHostname, setdomainname(options.domainname.data(), options.domainname.size()));
  }
  build_root();
  if (options.init == LaunchOptions::Init::kProgram) become_program();
  long program = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  check(LaunchStep::kInit, program);
  if (program > 0) become_init(static_cast<pid_t>(program));
  become_program();
}

}  // namespace

void run_launch_child(const LaunchPlan& plan) { LaunchChild(plan).run(); }

}  // namespace sandbox::platform
