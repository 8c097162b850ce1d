// KernelView: what /proc needs to know of the sandbox's processes, without knowing the sentry.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/credentials.h"
#include "sandbox/id_map.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox {

// One thread as the workload sees it. All pids are of the sandbox's PID namespace unless named host_.
struct TaskView {
  pid_t tid = 0, tgid = 0;
  pid_t host_tid = 0, host_tgid = 0;     // for reading the host's /proc; never shown inside
  std::string exe;                       // path inside of the program it runs
  std::vector<std::string> argv_prefix;  // what `#!` put before argv[1..]; empty for a plain program
  std::string cwd, root;                 // paths inside, as the kernel would print them
  uint32_t umask = 022;
  bool has_no_new_privs = true;
  rlimit core_limit{};  // as it was told
  // The auxiliary vector its program was started with, as /proc/PID/auxv holds it (AT_NULL included);
  // empty: the host kernel's own record is right.
  std::string auxv;
  // Where the sentry keeps ids and capabilities; null: the host kernel's record is right.
  struct Kept {
    Credentials ids;
    CapabilitySets capabilities;
  };
  std::shared_ptr<const Kept> kept;
};

// Implemented by the sentry; every method is safe to call from any engine thread.
class KernelView {
 public:
  virtual ~KernelView() = default;

  // Thread group ids, ascending. The sandbox's own init, when it has one, is included as 1.
  virtual std::vector<pid_t> process_ids() = 0;
  // Thread ids of a group, ascending; empty when it is gone.
  virtual std::vector<pid_t> thread_ids(pid_t tgid) = 0;
  // Errors: ESRCH. `tid` may be any thread; tgid == 0 means "whatever group it is in".
  virtual Result<TaskView> task(pid_t tgid, pid_t tid) = 0;
  // The sandbox pid for a host pid, 0 when it is not one of ours (as pid_vnr gives).
  virtual pid_t pid_inside(pid_t host_pid) = 0;

  // A descriptor of the sentry's own view of the host's /proc directory.
  virtual int host_proc() = 0;
  // A duplicate of descriptor `fd` of that task (pidfd_getfd). Errors: EBADF, ESRCH.
  virtual Result<UniqueFd> descriptor_of(const TaskView& task, int fd) = 0;
  // The path inside of what `host_fd` refers to, as readlink of /proc/self/fd/N prints it:
  // "/etc/passwd", "/tmp/x (deleted)", "pipe:[123]", "socket:[5]", "anon_inode:[eventpoll]", "/memfd:x
  // (deleted)".
  virtual std::string describe_descriptor(int host_fd) = 0;
  // The path inside for a line of the host's /proc/PID/maps (a host path may never be shown).
  // `device` and `inode` are as that line gives them; empty when the mapping is to be hidden (the loader's).
  virtual std::string describe_mapping(const TaskView& task, uint64_t device, uint64_t inode,
                                       const std::string& host_path) = 0;
  // When the uptime that is shown was 0, CLOCK_BOOTTIME nanoseconds; with clocks of the sandbox's own perhaps
  // before the host's boot.
  virtual int64_t start_time_ns() = 0;
  // Host name and domain name inside.
  virtual std::string hostname() = 0;
  // Between the ids that the sentry reads from the host's /proc and those the workload sees.
  virtual const IdMap& uid_map() = 0;
  virtual const IdMap& gid_map() = 0;
  // The descriptor number that the engine keeps for itself in every task and that nobody shall see; -1: none.
  virtual int reserved_descriptor() = 0;
};

}  // namespace sandbox
