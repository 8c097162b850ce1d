// Tasks: their shared state, cached credentials, descriptors and the table of all of them.
#include "sentry/task.h"

#include <sys/pidfd.h>
#include <sys/syscall.h>

#include <algorithm>

#include "sentry/task_status.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

namespace sandbox {

namespace {

Result<UniqueFd> open_pidfd(pid_t host_tid, unsigned flags) {
  return UniqueFd(TRY(host_result(static_cast<int>(::syscall(SYS_pidfd_open, host_tid, flags)))));
}

Result<UniqueFd> duplicate_from(int pidfd, int fd) {
  int copy = static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, fd, 0));
  if (copy < 0) return last_error();
  return UniqueFd(copy);
}

}  // namespace

void FsContext::set_root(vfs::Location root) {
  std::lock_guard guard(lock_);
  snapshot_ = std::make_shared<const Snapshot>(std::move(root), snapshot_->cwd, snapshot_->umask);
}

void FsContext::set_cwd(vfs::Location cwd) {
  std::lock_guard guard(lock_);
  snapshot_ = std::make_shared<const Snapshot>(snapshot_->root, std::move(cwd), snapshot_->umask);
}

mode_t FsContext::exchange_umask(mode_t umask) {
  std::lock_guard guard(lock_);
  mode_t before = snapshot_->umask;
  snapshot_ = std::make_shared<const Snapshot>(snapshot_->root, snapshot_->cwd, umask & 0777);
  return before;
}

ProgramPtr Process::program() const {
  std::lock_guard guard(lock_);
  return program_;
}

void Process::set_program(ProgramPtr program) {
  std::lock_guard guard(lock_);
  program_ = std::move(program);
}

void Process::set_pending_exec(PendingExec exec) {
  std::lock_guard guard(lock_);
  pending_ = std::move(exec);
}

std::optional<PendingExec> Process::take_pending_exec() {
  std::lock_guard guard(lock_);
  return std::exchange(pending_, std::nullopt);
}

rlimit Process::core_limit() const {
  std::lock_guard guard(lock_);
  return core_limit_;
}

Result<rlimit> Process::exchange_core_limit(const std::optional<rlimit>& limit) {
  std::lock_guard guard(lock_);
  const rlimit before = core_limit_;
  if (limit && limit->rlim_max > before.rlim_max) return err(EPERM);
  if (limit) core_limit_ = *limit;
  return before;
}

Result<int> Process::pidfd() {
  std::lock_guard guard(lock_);
  if (!pidfd_) pidfd_ = TRY(open_pidfd(host_tgid, 0));
  return pidfd_.get();
}

std::shared_ptr<FsContext> Task::fs() const {
  std::lock_guard guard(lock_);
  return fs_;
}

void Task::unshare_fs() {
  std::lock_guard guard(lock_);
  fs_ = std::make_shared<FsContext>(*fs_->snapshot());
}

Result<std::shared_ptr<const Credentials>> Task::credentials(int host_proc, const IdMap& uids,
                                                             const IdMap& gids) {
  if (!are_credentials_stale_.load(std::memory_order_acquire)) {
    std::lock_guard guard(lock_);
    return credentials_;
  }
  TaskStatus status = TRY(read_task_status(host_proc, host_tid));
  note_inside_ids(status);
  auto fresh = std::make_shared<const Credentials>(credentials_in(status, uids, gids));

  std::lock_guard guard(lock_);
  credentials_ = fresh;
  are_credentials_stale_.store(false, std::memory_order_release);
  return credentials_;
}

std::shared_ptr<const Credentials> Task::last_credentials() const {
  std::lock_guard guard(lock_);
  return credentials_;
}

std::shared_ptr<const TaskIds> Task::own_ids() const {
  std::lock_guard guard(lock_);
  return own_ids_;
}

void Task::set_own_ids(TaskIds ids) {
  std::lock_guard guard(lock_);
  credentials_ = std::make_shared<const Credentials>(ids.credentials());
  own_ids_ = std::make_shared<const TaskIds>(std::move(ids));
  are_credentials_stale_.store(false, std::memory_order_release);
}

void Task::inherit_credentials(const Task& parent) {
  auto ids = parent.own_ids();
  {
    std::lock_guard guard(lock_);
    own_ids_ = std::move(ids);
  }
  if (parent.are_credentials_stale_.load(std::memory_order_acquire)) return;
  auto inherited = parent.last_credentials();
  std::lock_guard guard(lock_);
  credentials_ = std::move(inherited);
  are_credentials_stale_.store(credentials_ == nullptr, std::memory_order_release);
}

Result<UniqueFd> Task::descriptor(int fd) {
  if (uses_table_of_process()) {
    Result<UniqueFd> copy = duplicate_from(TRY(process->pidfd()), fd);
    // A leader that has exited while its threads live on has no table any more.
    if (copy || copy.error() == Errno(EBADF) || is_group_leader()) return copy;
  }
  std::lock_guard guard(lock_);
  if (!own_pidfd_) {
    is_table_certain_.store(false, std::memory_order_relaxed);
    own_pidfd_ = TRY(open_pidfd(host_tid, PIDFD_THREAD));
  }
  return duplicate_from(own_pidfd_.get(), fd);
}

void Task::note_inside_ids(const TaskStatus& status) {
  uint64_t packed =
      static_cast<uint64_t>(status.inside_tid) << 32 | static_cast<uint32_t>(status.inside_tgid);
  inside_ids_.store(packed, std::memory_order_relaxed);
}

Task::InsideIds Task::inside_ids(int host_proc) {
  if (inside_ids_.load(std::memory_order_relaxed) == 0) {
    Result<TaskStatus> status = read_task_status(host_proc, host_tid);
    if (!status) return {};
    note_inside_ids(*status);
  }
  const uint64_t packed = inside_ids_.load(std::memory_order_relaxed);
  return {.tid = static_cast<pid_t>(packed >> 32), .tgid = static_cast<pid_t>(packed & UINT32_MAX)};
}

TaskPtr TaskTable::find(pid_t host_tid) const {
  const Shard& shard = shard_of(host_tid);
  std::shared_lock guard(shard.lock);
  auto found = shard.tasks.find(host_tid);
  return found == shard.tasks.end() ? nullptr : found->second;
}

TaskPtr TaskTable::find_inside(pid_t inside_tid, int host_proc) const {
  for (const TaskPtr& task : all())
    if (task->inside_ids(host_proc).tid == inside_tid) return task;
  return nullptr;
}

void TaskTable::add(TaskPtr task) {
  Shard& shard = shard_of(task->host_tid);
  std::lock_guard guard(shard.lock);
  shard.tasks.insert_or_assign(task->host_tid, std::move(task));
}

TaskPtr TaskTable::remove(pid_t host_tid) {
  Shard& shard = shard_of(host_tid);
  std::lock_guard guard(shard.lock);
  auto node = shard.tasks.extract(host_tid);
  return node.empty() ? nullptr : std::move(node.mapped());
}

std::vector<TaskPtr> TaskTable::all() const {
  std::vector<TaskPtr> tasks;
  for (const Shard& shard : shards_) {
    std::shared_lock guard(shard.lock);
    for (const auto& [tid, task] : shard.tasks) tasks.push_back(task);
  }
  return tasks;
}

size_t TaskTable::size() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    std::shared_lock guard(shard.lock);
    count += shard.tasks.size();
  }
  return count;
}

std::vector<TaskPtr> TaskTable::of_group(pid_t host_tgid) const {
  std::vector<TaskPtr> tasks = all();
  std::erase_if(tasks, [&](const TaskPtr& task) { return task->host_tgid() != host_tgid; });
  return tasks;
}

void TaskTable::note_exited_leader(pid_t host_tgid) {
  std::lock_guard guard(exited_lock_);
  if (exited_leaders_.size() >= kRememberedLeaders) exited_leaders_.pop_front();
  exited_leaders_.push_back(host_tgid);
}

std::vector<pid_t> TaskTable::exited_leaders() const {
  std::lock_guard guard(exited_lock_);
  return {exited_leaders_.begin(), exited_leaders_.end()};
}

void TaskTable::forget_exited_leader(pid_t host_tgid) {
  std::lock_guard guard(exited_lock_);
  std::erase(exited_leaders_, host_tgid);
}

}  // namespace sandbox
