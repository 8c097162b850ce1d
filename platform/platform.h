// Platform: starts a workload in its namespaces and reports what it does to a Supervisor.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/call_observer.h"
#include "platform/exec_image.h"
#include "platform/intercepted_call.h"
#include "platform/namespace_kind.h"
#include "sandbox/credentials.h"
#include "sandbox/id_map.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

enum class EngineKind { kPtrace, kNotify };

class PidNamespaceLauncher;
class ProfileObserver;
class SeccompFilter;

// What the sentry does with the events of an engine. Every method may be called from any engine
// thread, two at once for different threads of the workload; none may block on the workload.
class Supervisor {
 public:
  virtual ~Supervisor() = default;

  // A call whose row in the table says EMULATE. Answer it, or park it.
  virtual void on_syscall(InterceptedCall& call) = 0;

  // execve and execveat, before the point of no return. Success: the engine makes the thread exec
  // the loader and asks take_exec_image once it runs. Failure: the call returns the error.
  virtual Result<void> on_exec(const SyscallEvent& event, GuestMemory& memory) = 0;
  // The loader of `host_tgid` runs in its fresh address space (other threads of the group are gone,
  // and the caller's thread id is now the group's). Nothing on a bug: the thread is then killed.
  virtual std::optional<ExecImage> take_exec_image(pid_t host_tgid) = 0;

  // A thread or process was born; it runs no instruction before this returns. `flags` are clone(2)'s.
  virtual void on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) = 0;
  // A thread is gone; `wait_status` as waitpid gives it (meaningful for the main program's leader).
  virtual void on_thread_exit(pid_t host_tid, int wait_status) = 0;

  // A signal is about to be delivered to the thread (signal-delivery stop).
  // True: a call that Linux never interrupts was interrupted by the engine, and must be restarted.
  // False also when the sentry answered this very call with ERESTARTSYS on purpose (a FIFO's open).
  virtual bool is_never_interrupted(pid_t host_tid, uint32_t syscall_number) = 0;
};

struct PassedFd {
  int source;  // in the sentry
  int target;  // in the workload
};

struct ResourceLimit {
  int resource;  // RLIMIT_*
  rlimit limit;
};

// How far a clock of a time namespace is ahead of the host's (time_namespaces(7)).
struct ClockOffset {
  clockid_t clock;  // CLOCK_MONOTONIC or CLOCK_BOOTTIME
  int64_t seconds;
  uint32_t nanoseconds;
};

// Who keeps the ids of tasks: user and group ids that getuid(2) and its kin tell.
enum class IdKeeper { kKernel, kSentry };

// RLIMIT_CORE of `limits`, else this process's own: what the workload is told of it. Its real one is always
// the same (README.md).
rlimit core_limit_in(const std::vector<ResourceLimit>& limits);

struct LaunchOptions {
  EngineKind engine = EngineKind::kNotify;
  // Those to create; kUser and kMount always are. The others are the sentry's own where they are not named.
  std::vector<NamespaceKind> namespaces;
  IdMap uid_map = IdMap::identity();  // workload's namespace to the sentry's
  IdMap gid_map = IdMap::identity();
  uid_t uid = 0;  // ids inside, set before the program starts
  gid_t gid = 0;
  std::vector<gid_t> groups;
  IdKeeper id_keeper = IdKeeper::kKernel;
  CapabilitySets capabilities;
  std::string hostname, domainname;                              // empty: leave as it is
  enum class Init { kBuiltIn, kProgram } init = Init::kBuiltIn;  // who is PID 1
  std::vector<PassedFd> descriptors;  // 0, 1, 2 and --pass-fd; everything else is closed
  uint32_t umask = 022;
  std::vector<ResourceLimit> limits;  // set last of all, but for RLIMIT_CORE
  // kOwnTerminal: a session of its own, whose controlling terminal is the program's standard input.
  enum class Session { kInherited, kOwn, kOwnTerminal } session = Session::kInherited;
  // Who may wait for the program, and becomes its parent: the sentry, or with kProgram as init the sentry's
  // parent. The sentry learns of its end either way.
  enum class Parent { kSentry, kParentOfSentry } parent = Parent::kSentry;
  // The empty root of the workload: that of its mount namespace, or one apart from it, so that the namespace
  // can show something else to the host's programs (host_view.h).
  enum class Root { kOfNamespace, kApart } root = Root::kOfNamespace;
  std::optional<unsigned long> personality;  // personality(2)
  std::vector<ClockOffset> clock_offsets;    // of a new time namespace
  // Puts the first process into a PID namespace that is there already (pid_namespace_launcher.h). Null: it is
  // in a new one, or the sentry's own.
  PidNamespaceLauncher* pid_launcher = nullptr;
  // cgroup.procs files, open for writing: the workload joins these groups before it runs. The sentry does
  // not.
  std::vector<int> cgroup_join_files;
  // Told of the workload's life and of its calls in `traced`; outlives the platform. Null: nobody watches.
  CallObserver* observer = nullptr;
  CallSet traced;
  // Restricts the workload further (seccomp_profile.h); outlives the platform. Null: nothing does.
  const SeccompFilter* profile = nullptr;
  ProfileObserver* profile_observer = nullptr;  // null: the kernel enforces the profile without a word
};

// The sentry's own user and mount namespaces, entered once, before anything else is set up and while
// the process has one thread: unshares, maps ids one to one (all ids as root, else the caller's own and
// what newuidmap grants; a lone 65534 becomes 65533), makes every mount private. Afterwards the process has
// every capability in its own namespace and none outside. Errors: EPERM, ENOSPC, EUSERS: the host forbids
// user namespaces.
struct SentryNamespaces {
  IdMap uid_map, gid_map;  // sentry's namespace to the host's
};
Result<SentryNamespaces> enter_sentry_namespaces();

// A first process that makes itself ready in its namespaces while its owner does something else. Destroyed
// before a Platform was made of it, it is ended.
class Launch {
 public:
  virtual ~Launch() = default;
  // On failure `context` says what was being done.
  static Result<std::unique_ptr<Launch>> begin(const LaunchOptions& options, std::string& context);
  // Waits until the first process is ready in its namespaces, just before its execve; its host thread id. On
  // failure `context` says what was being done.
  virtual Result<pid_t> wait_until_ready(std::string& context) = 0;
};

// One running workload.
class Platform {
 public:
  virtual ~Platform() = default;

  // Waits until the first process is ready, just before its execve. Nothing of the workload has run. On
  // failure `context` says what was being done.
  static Result<std::unique_ptr<Platform>> create(std::unique_ptr<Launch> launch, Supervisor& supervisor,
                                                  std::string& context);

  // The first process's host thread id (the program, not the built-in init).
  virtual pid_t first_task() const = 0;
  // kUts and kCgroup when they were asked for and the host refused, with its errno.
  virtual const std::vector<std::pair<NamespaceKind, Errno>>& missing_namespaces() const = 0;

  // Lets the first process call execve(path, argv, envp): it arrives at Supervisor::on_exec as any
  // other. Serves events until no workload thread is left. Returns the wait status of the first
  // process, or the errno with which its execve failed.
  struct Outcome {
    std::optional<Errno> exec_error;
    int wait_status = 0;
  };
  virtual Result<Outcome> run(const std::string& path, const std::vector<std::string>& argv,
                              const std::vector<std::string>& environment) = 0;

  // Before run(), which then lets the first process wait on until the other is called from any thread:
  // processes that are adopted meanwhile run before it. Errors: EPIPE: it is gone.
  virtual void hold_first_task() = 0;
  virtual Result<void> release_first_task() = 0;

  // From any thread: every workload process gets SIGKILL; run() then returns.
  virtual void kill_all() = 0;
  // From any thread: a signal to the first process.
  virtual void signal_first_task(int signal) = 0;

  // From any thread, while run() serves: every call of the set is told to the observer until unwatch()
  // returns. The workload's filter knows nothing of it, so all calls stop, at their entry and exit. Errors:
  // EBUSY: an observer is there already; ESRCH: the workload is at its end.
  virtual Result<void> watch(const Watch& watch) = 0;
  virtual void unwatch() = 0;

  // What another process needs that is to join the workload (joined_launch.h): the engine whose filter it
  // installs, and the socket that goes to its kReservedFd (-1: the engine has none).
  virtual EngineKind engine() const = 0;
  virtual int reserved_socket() const = 0;
  // From any thread but the tracer's, while run() serves: such a process, which the supervisor knows by now,
  // executes the program as a part of the workload. Errors: ESRCH: it or the workload is gone; EPERM.
  virtual Result<void> adopt(pid_t tid, const UniqueFd& channel, const std::string& path,
                             const std::vector<std::string>& argv,
                             const std::vector<std::string>& environment) = 0;

  // Memory of any thread of the workload.
  virtual std::unique_ptr<GuestMemory> memory_of(pid_t host_tid) = 0;
};

// Whether this host can run the engine, and if not, in words, what is missing.
struct EngineSupport {
  bool is_supported;
  std::string detail;  // "Linux 6.18: ADDFD, SEND, WAIT_KILLABLE_RECV, SYNC_WAKE_UP" or the reason against
};
EngineSupport probe_engine(EngineKind kind);

}  // namespace sandbox::platform
