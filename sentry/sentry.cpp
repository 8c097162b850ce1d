// What the sentry does with the engine's events: answers calls, and keeps the table of tasks right.
#include "sentry/sentry.h"

#include <sched.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <csignal>

#include "sandbox/clock.h"
#include "sentry/dispatch.h"
#include "sentry/exec.h"
#include "sentry/parked_calls.h"
#include "sentry/task_status.h"

namespace sandbox {

namespace {

// A file system in memory is full when the memory is. Where this cannot be told the file system's word
// counts.
void bound_by_memory(ResourceView& resources, struct statfs& status) {
  auto lines = resources.memory();
  if (!lines || status.f_bsize <= 0) return;
  auto blocks = [&](const char* name) {
    return lines->value_of(name) * 1024 / static_cast<uint64_t>(status.f_bsize);
  };
  status.f_blocks = std::min<fsblkcnt_t>(status.f_blocks, blocks("MemTotal"));
  status.f_bfree = std::min<fsblkcnt_t>({status.f_bfree, status.f_blocks, blocks("MemAvailable")});
  status.f_bavail = std::min(status.f_bavail, status.f_bfree);
}

}  // namespace

void RunningPrograms::add(dev_t device, ino_t inode) {
  std::lock_guard guard(lock_);
  ++counts_[{device, inode}];
}

void RunningPrograms::remove(dev_t device, ino_t inode) {
  std::lock_guard guard(lock_);
  auto found = counts_.find({device, inode});
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

bool RunningPrograms::is_running(const vfs::Attributes& attributes) const {
  Key key{makedev(attributes.stx_dev_major, attributes.stx_dev_minor), attributes.stx_ino};
  std::lock_guard guard(lock_);
  return counts_.contains(key);
}

Sentry::Sentry(SentryParts parts)
    : parts_(std::move(parts)),
      parked_calls_(std::make_unique<ParkedCalls>(parts_.host_proc.get())),
      start_time_ns_(static_cast<int64_t>(clock_ns(CLOCK_BOOTTIME) - parts_.resources->uptime_ns())) {
  parts_.vfs->set_executing_check(
      [this](const vfs::Attributes& attributes) { return running_programs_.is_running(attributes); });
  parts_.vfs->set_memory_bound([this](struct statfs& status) { bound_by_memory(*parts_.resources, status); });
}

Sentry::~Sentry() = default;

void Sentry::add_first_task(pid_t host_tid, FirstTask first) {
  auto process = std::make_shared<Process>(host_tid, std::make_shared<Program>(), first.core_limit);
  auto task =
      std::make_shared<Task>(host_tid, std::move(process), std::make_shared<FsContext>(std::move(first.fs)),
                             Task::FileTable::kOfProcess);
  task->set_no_new_privs(first.no_new_privs);
  if (first.ids) task->set_own_ids(*std::move(first.ids));
  tasks_.add(std::move(task));
}

pid_t Sentry::parent_of_first_task(pid_t host_tid) {
  Result<TaskStatus> status = read_task_status(host_proc(), host_tid);
  return status && status->inside_tid != 1 ? status->parent : 0;
}

void Sentry::on_syscall(platform::InterceptedCall& intercepted) {
  TaskPtr task = tasks_.find(intercepted.event().host_tid);
  // Only a thread that an exec of its group is just killing has no task any more.
  if (!task) return intercepted.reply(-ESRCH);
  task->set_interrupted_on_purpose(Task::Interrupted::kNo);
  Result<CallerSnapshot> snapshot = CallerSnapshot::of(*this, *task);
  if (!snapshot) return intercepted.reply(snapshot.error().as_return());
  Call call(*this, intercepted, std::move(task), *std::move(snapshot));
  SyscallResult result = dispatch(call);
  if (!result && result.error() == vfs::kPrepareFirst) result = prepare_and_repeat(call);
  Call::answer(intercepted, std::move(result));
}

// Made again from the start, arguments and all: the first attempt changed nothing, so what was read for it
// counts for nothing.
SyscallResult Sentry::prepare_and_repeat(Call& call) {
  auto repeat = [this, task = call.task_ptr(), preparation = vfs::take_preparation()](
                    platform::InterceptedCall& parked,
                    const std::atomic<bool>& is_cancelled) mutable -> SyscallResult {
    SyscallResult result = err(vfs::kPrepareFirst.value());
    while (!result && result.error() == vfs::kPrepareFirst) {
      if (preparation) TRY(preparation->run(is_cancelled));
      if (is_cancelled || !parked.is_waiting()) return err(EINTR);
      Call again(*this, parked, task, TRY(CallerSnapshot::of(*this, *task)));
      result = dispatch(again);
      preparation = vfs::take_preparation();
    }
    return result;
  };
  return parked_calls_->run_killable(call, std::move(repeat));
}

Result<void> Sentry::on_exec(const platform::SyscallEvent& event, GuestMemory& memory) {
  TaskPtr task = tasks_.find(event.host_tid);
  if (!task) return err(ESRCH);
  CallerSnapshot snapshot = TRY(CallerSnapshot::of(*this, *task));
  task->process->set_pending_exec(TRY(resolve_exec(*this, *task, snapshot.caller(), event, memory)));
  return {};
}

std::optional<platform::ExecImage> Sentry::take_exec_image(pid_t host_tgid) {
  TaskPtr leader = tasks_.find(host_tgid);
  if (!leader) return std::nullopt;
  std::optional<PendingExec> exec = leader->process->take_pending_exec();
  if (!exec) return std::nullopt;

  // The thread that called execve has become the leader, whatever its id was; the others are gone.
  TaskPtr survivor = tasks_.find(exec->host_tid);
  for (const TaskPtr& task : tasks_.of_group(host_tgid)) tasks_.remove(task->host_tid);
  const TaskPtr& caller = survivor ? survivor : leader;
  auto process = std::make_shared<Process>(host_tgid, exec->program, caller->process->core_limit());
  auto task =
      std::make_shared<Task>(host_tgid, std::move(process), caller->fs(), Task::FileTable::kOfProcess);
  task->set_no_new_privs(caller->no_new_privs());
  if (auto ids = caller->own_ids()) {
    TaskIds after = *ids;
    after.note_exec();
    task->set_own_ids(std::move(after));
  }
  tasks_.add(std::move(task));
  return std::move(exec->image);
}

void Sentry::on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) {
  clone_count_.fetch_add(1, std::memory_order_relaxed);
  socket_peers_.remove(host_tid);
  TaskPtr parent = tasks_.find(host_parent_tid);
  if (!parent) {
    // An exec of its group has just taken the parent away: what the child inherits cannot be known any more.
    ::kill(host_tid, SIGKILL);
    return;
  }
  auto process = flags & CLONE_THREAD ? parent->process
                                      : std::make_shared<Process>(host_tid, parent->process->program(),
                                                                  parent->process->core_limit());
  auto fs = parent->fs();
  if (!(flags & CLONE_FS)) fs = std::make_shared<FsContext>(*fs->snapshot());
  bool has_table_of_process =
      !(flags & CLONE_THREAD) || ((flags & CLONE_FILES) && parent->uses_table_of_process());
  auto task =
      std::make_shared<Task>(host_tid, std::move(process), std::move(fs),
                             has_table_of_process ? Task::FileTable::kOfProcess : Task::FileTable::kOwn);
  task->inherit_credentials(*parent);
  task->set_no_new_privs(parent->no_new_privs());
  tasks_.add(std::move(task));
}

void Sentry::on_thread_exit(pid_t host_tid, int) {
  TaskPtr task = tasks_.remove(host_tid);
  if (!task) return;
  if (task->is_group_leader()) tasks_.note_exited_leader(host_tid);
  // Whoever learns of its death must not find it still waiting for a FIFO's other end.
  parked_calls_->end_calls_of(host_tid);
}

bool Sentry::is_never_interrupted(pid_t host_tid, uint32_t syscall_number) {
  if (!never_waits(syscall_number)) return false;
  TaskPtr task = tasks_.find(host_tid);
  return !task || !task->was_interrupted_on_purpose();
}

}  // namespace sandbox
