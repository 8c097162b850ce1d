// Sentry: the supervisor of one sandbox: it owns the VFS and the tasks and answers what the engine reports.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "platform/platform.h"
#include "sandbox/id_map.h"
#include "sandbox/resource_view.h"
#include "sentry/call.h"
#include "sentry/read_only_locks.h"
#include "sentry/socket_peers.h"
#include "sentry/task.h"
#include "vfs/core/vfs.h"

namespace sandbox {

class ParkedCalls;

// What a Sentry is made of once set-up is done.
struct SentryParts {
  std::unique_ptr<vfs::Vfs> vfs;
  UniqueFd host_proc;                 // the host's /proc
  IdMap uid_map = IdMap::identity();  // workload's namespace to the sentry's
  IdMap gid_map = IdMap::identity();
  std::string hostname;
  ResourceView* resources = nullptr;  // outlives the sentry
  int reserved_descriptor = -1;       // the engine's number in every task; -1: it has none
};

// Which files run as programs, so that nobody writes to them (ETXTBSY).
class RunningPrograms {
 public:
  void add(dev_t device, ino_t inode);
  void remove(dev_t device, ino_t inode);
  bool is_running(const vfs::Attributes& attributes) const;

 private:
  struct Key {
    dev_t device;
    ino_t inode;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return key.inode * 0x9e3779b97f4a7c15u ^ key.device; }
  };
  mutable std::mutex lock_;
  std::unordered_map<Key, int, Hash> counts_;
};

// What the first process, or one that `exec` brings, starts with.
struct FirstTask {
  FsContext::Snapshot fs;
  NoNewPrivs no_new_privs = NoNewPrivs::kSet;
  rlimit core_limit;
  std::optional<TaskIds> ids;  // nothing: the kernel keeps them
};

// Locks: a task's or process's own lock, the table's shards and RunningPrograms' are leaves: none is held
// while another is taken or while the host kernel is asked for anything that may wait.
class Sentry final : public platform::Supervisor {
 public:
  explicit Sentry(SentryParts parts);
  ~Sentry() override;

  // The first process, before it runs.
  void add_first_task(pid_t host_tid, FirstTask first);
  // The host pid of its parent inside the sandbox: the built-in init; 0 when it is process 1 itself.
  pid_t parent_of_first_task(pid_t host_tid);

  void on_syscall(platform::InterceptedCall& call) override;
  Result<void> on_exec(const platform::SyscallEvent& event, GuestMemory& memory) override;
  std::optional<platform::ExecImage> take_exec_image(pid_t host_tgid) override;
  void on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) override;
  void on_thread_exit(pid_t host_tid, int wait_status) override;
  bool is_never_interrupted(pid_t host_tid, uint32_t syscall_number) override;

  vfs::Vfs& vfs() { return *parts_.vfs; }
  TaskTable& tasks() { return tasks_; }
  RunningPrograms& running_programs() { return running_programs_; }
  ParkedCalls& parked_calls() { return *parked_calls_; }
  SocketPeers& socket_peers() { return socket_peers_; }
  ReadOnlyLocks& read_only_locks() { return read_only_locks_; }
  int host_proc() const { return parts_.host_proc.get(); }
  const IdMap& uid_map() const { return parts_.uid_map; }
  const IdMap& gid_map() const { return parts_.gid_map; }
  const std::string& hostname() const { return parts_.hostname; }
  ResourceView& resources() { return *parts_.resources; }
  int reserved_descriptor() const { return parts_.reserved_descriptor; }
  int64_t start_time_ns() const { return start_time_ns_; }
  // How many tasks the workload has made.
  uint64_t clone_count() const { return clone_count_.load(std::memory_order_relaxed); }

 private:
  // A call that has long work to do first: parked, prepared for, and made again.
  SyscallResult prepare_and_repeat(Call& call);

  SentryParts parts_;
  RunningPrograms running_programs_;  // outlives the tasks, whose programs deregister themselves
  TaskTable tasks_;
  SocketPeers socket_peers_;
  ReadOnlyLocks read_only_locks_{tasks_};
  std::unique_ptr<ParkedCalls> parked_calls_;
  int64_t start_time_ns_;
  std::atomic<uint64_t> clone_count_{0};
};

}  // namespace sandbox
