// Task: what the sentry remembers of one workload thread, and TaskTable: all of them.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/exec_image.h"
#include "sandbox/credentials.h"
#include "sandbox/id_map.h"
#include "sentry/task_ids.h"
#include "vfs/core/types.h"

namespace sandbox {

struct TaskStatus;

// Root, cwd and umask (the kernel's fs_struct), shared by tasks made with CLONE_FS. Readers take an
// immutable snapshot, so a call sees one state however long it runs.
class FsContext {
 public:
  struct Snapshot {
    vfs::Location root, cwd;
    mode_t umask = 022;
  };
  using SnapshotPtr = std::shared_ptr<const Snapshot>;

  explicit FsContext(Snapshot first) : snapshot_(std::make_shared<const Snapshot>(std::move(first))) {}

  SnapshotPtr snapshot() const {
    std::lock_guard guard(lock_);
    return snapshot_;
  }
  void set_root(vfs::Location root);
  void set_cwd(vfs::Location cwd);
  mode_t exchange_umask(mode_t umask);  // the one before

 private:
  mutable std::mutex lock_;
  SnapshotPtr snapshot_;
};

// What a process runs: replaced as a whole by exec, inherited by fork.
struct Program {
  vfs::Location exe;
  std::vector<std::string> argv_prefix;  // what `#!` put before argv[1..]; empty for a plain program
};
using ProgramPtr = std::shared_ptr<const Program>;

// An exec that was resolved and waits for the loader to run.
struct PendingExec {
  pid_t host_tid = 0;  // the thread that called execve
  platform::ExecImage image;
  ProgramPtr program;
};

// A thread group. Its lock guards the members marked so.
class Process {
 public:
  Process(pid_t host_tgid, ProgramPtr program, rlimit core_limit)
      : host_tgid(host_tgid), program_(std::move(program)), core_limit_(core_limit) {}

  const pid_t host_tgid;

  ProgramPtr program() const;
  void set_program(ProgramPtr program);

  // The latest exec that was resolved for a thread of this group.
  void set_pending_exec(PendingExec exec);
  std::optional<PendingExec> take_pending_exec();

  // What the workload is told of RLIMIT_CORE, whose real value never changes (platform/README.md).
  rlimit core_limit() const;
  // Gives it another, unless there is none; the one before. Errors: EPERM (the hard limit would rise).
  Result<rlimit> exchange_core_limit(const std::optional<rlimit>& limit);

  // A pidfd of the group, opened once. Errors: ESRCH, EMFILE.
  Result<int> pidfd();

 private:
  mutable std::mutex lock_;
  ProgramPtr program_;                  // lock_
  rlimit core_limit_;                   // lock_
  std::optional<PendingExec> pending_;  // lock_
  UniqueFd pidfd_;                      // lock_, set once
};

// What the workload is told of no_new_privs, which the kernel itself always has set.
enum class NoNewPrivs : bool { kUnset, kSet };

// One thread (the kernel's task_struct). Fields are constant or guarded by lock_.
class Task {
 public:
  enum class FileTable { kOfProcess, kOwn };

  Task(pid_t host_tid, std::shared_ptr<Process> process, std::shared_ptr<FsContext> fs, FileTable files)
      : host_tid(host_tid), process(std::move(process)), fs_(std::move(fs)), files_(files) {}

  const pid_t host_tid;
  const std::shared_ptr<Process> process;

  pid_t host_tgid() const { return process->host_tgid; }
  bool is_group_leader() const { return host_tid == process->host_tgid; }

  std::shared_ptr<FsContext> fs() const;
  // unshare(CLONE_FS): from now on this task has a context of its own with the same state.
  void unshare_fs();
  // unshare(CLONE_FILES) by any thread of the group: from now on this task's table is looked up by
  // the thread itself.
  void stop_using_table_of_process() { files_.store(FileTable::kOwn, std::memory_order_relaxed); }
  bool uses_table_of_process() const {
    return is_group_leader() || files_.load(std::memory_order_relaxed) == FileTable::kOfProcess;
  }

  // Whether the current call was answered with ERESTARTSYS because Linux, too, would have ended its wait.
  enum class Interrupted : bool { kNo, kYes };
  void set_interrupted_on_purpose(Interrupted value) { interrupted_.store(value, std::memory_order_relaxed); }
  bool was_interrupted_on_purpose() const {
    return interrupted_.load(std::memory_order_relaxed) == Interrupted::kYes;
  }

  // The task's credentials, read from the host's /proc when stale. Only for the task's own calls: a
  // thread that runs user code may be about to change them.
  // Errors: ESRCH.
  Result<std::shared_ptr<const Credentials>> credentials(int host_proc, const IdMap& uids, const IdMap& gids);
  // The last ones read; may be null.
  std::shared_ptr<const Credentials> last_credentials() const;
  // The kernel is about to change them.
  void forget_credentials() { are_credentials_stale_.store(true, std::memory_order_release); }
  void inherit_credentials(const Task& parent);
  // The ids that the sentry keeps for the task; null: the kernel's count.
  std::shared_ptr<const TaskIds> own_ids() const;
  void set_own_ids(TaskIds ids);

  NoNewPrivs no_new_privs() const { return no_new_privs_.load(std::memory_order_relaxed); }
  void set_no_new_privs(NoNewPrivs value) { no_new_privs_.store(value, std::memory_order_relaxed); }

  // A duplicate of descriptor `fd` of this task's table (pidfd_getfd). Errors: EBADF, ESRCH, EMFILE.
  // The pid by which the table is found the first time may be another thread's by then: whoever finds the
  // thread alive after a call of this says so, and later calls are certain to mean its table.
  bool is_table_certain() const { return is_table_certain_.load(std::memory_order_relaxed); }
  void set_table_certain() { is_table_certain_.store(true, std::memory_order_relaxed); }
  Result<UniqueFd> descriptor(int fd);

  // The ids that the workload sees, read once from NSpid. 0 while unknown or when the task is gone.
  struct InsideIds {
    pid_t tid = 0, tgid = 0;
  };
  InsideIds inside_ids(int host_proc);

 private:
  void note_inside_ids(const TaskStatus& status);

  mutable std::mutex lock_;
  std::shared_ptr<FsContext> fs_;                   // lock_
  std::shared_ptr<const Credentials> credentials_;  // lock_
  std::shared_ptr<const TaskIds> own_ids_;          // lock_
  std::atomic<bool> are_credentials_stale_{true};
  std::atomic<FileTable> files_;
  std::atomic<Interrupted> interrupted_{Interrupted::kNo};
  std::atomic<NoNewPrivs> no_new_privs_{NoNewPrivs::kSet};
  std::atomic<bool> is_table_certain_{false};
  UniqueFd own_pidfd_;                   // lock_; of this thread, where the process's will not do
  std::atomic<uint64_t> inside_ids_{0};  // tid and tgid, 32 bits each
};
using TaskPtr = std::shared_ptr<Task>;

// Every task, by host thread id. All methods are safe from any thread.
class TaskTable {
 public:
  TaskPtr find(pid_t host_tid) const;
  // By the number that the workload knows it by; null: there is none.
  TaskPtr find_inside(pid_t inside_tid, int host_proc) const;
  void add(TaskPtr task);
  TaskPtr remove(pid_t host_tid);
  std::vector<TaskPtr> all() const;
  size_t size() const;
  std::vector<TaskPtr> of_group(pid_t host_tgid) const;

  // A group leader has exited: until it is reaped it still has its place in /proc.
  void note_exited_leader(pid_t host_tgid);
  // Those noted, the latest last; some may be reaped by now, and their numbers somebody else's.
  std::vector<pid_t> exited_leaders() const;
  void forget_exited_leader(pid_t host_tgid);

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::shared_mutex lock;
    std::unordered_map<pid_t, TaskPtr> tasks;
  };
  const Shard& shard_of(pid_t host_tid) const { return shards_[static_cast<uint32_t>(host_tid) % kShards]; }
  Shard& shard_of(pid_t host_tid) { return shards_[static_cast<uint32_t>(host_tid) % kShards]; }

  std::array<Shard, kShards> shards_;

  static constexpr size_t kRememberedLeaders = 1024;
  mutable std::mutex exited_lock_;
  std::deque<pid_t> exited_leaders_;  // exited_lock_
};

}  // namespace sandbox
