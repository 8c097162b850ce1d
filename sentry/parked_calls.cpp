// Worker threads of parked calls and the thread that interrupts them.
#include "sentry/parked_calls.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>

#include "sentry/task_status.h"

namespace sandbox {

namespace {

constexpr auto kSignalCheckInterval = std::chrono::milliseconds(10);
constexpr int64_t kRestartSys = -512;  // ERESTARTSYS of the kernel

void catch_interrupt_signal() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(ParkedCalls::interrupt_signal(), &action, nullptr);
}

void change_interrupt_signal(int how) {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, ParkedCalls::interrupt_signal());
  ::pthread_sigmask(how, &interrupt, nullptr);
}

uint64_t bit_of(int signal) { return uint64_t{1} << (signal - 1); }

// Whether a pending signal would do something to the task (sig_ignored, kernel/signal.c).
bool has_signal_to_act_on(const TaskStatus& status) {
  constexpr uint64_t kUnblockable = uint64_t{1} << (SIGKILL - 1) | uint64_t{1} << (SIGSTOP - 1);
  uint64_t by_default = bit_of(SIGCHLD) | bit_of(SIGURG) | bit_of(SIGWINCH) | bit_of(SIGCONT);
  uint64_t ignored = status.ignored_signals | (by_default & ~status.caught_signals);
  uint64_t pending = status.pending_signals | status.pending_group_signals;
  return pending & ((~status.blocked_signals & ~ignored) | kUnblockable);
}

}  // namespace

struct ParkedCalls::Parked {
  std::unique_ptr<platform::InterceptedCall> call;
  TaskPtr task;
  KillableWork work;
  EndedBy ended_by;
  std::thread thread;
  std::atomic<bool> is_cancelled{false};
  std::atomic<bool> is_done{false};
};

ParkedCalls::ParkedCalls(int host_proc) : host_proc_(host_proc) { catch_interrupt_signal(); }

ParkedCalls::~ParkedCalls() {
  {
    std::lock_guard guard(lock_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

SyscallResult ParkedCalls::run(Call& call, Work work) {
  auto ignoring = [work = std::move(work)](auto&, auto&) { return work(); };
  return start(call, std::move(ignoring), EndedBy::kAnySignal);
}

SyscallResult ParkedCalls::run_killable(Call& call, KillableWork work) {
  return start(call, std::move(work), EndedBy::kFatalSignal);
}

SyscallResult ParkedCalls::start(Call& call, KillableWork work, EndedBy ended_by) {
  std::lock_guard guard(lock_);
  if (calls_.size() >= kMaximumParked) return err(EAGAIN);
  auto parked = std::make_unique<Parked>();
  parked->task = call.task_ptr();
  parked->call = call.park();
  parked->work = std::move(work);
  parked->ended_by = ended_by;
  Parked& entry = *parked;
  calls_.push_back(std::move(parked));
  ++waiting_;
  entry.thread = std::thread([this, &entry] { serve(entry); });
  if (!watcher_.joinable()) watcher_ = std::thread([this] { watch(); });
  changed_.notify_all();
  return Reply::parked();
}

void ParkedCalls::end_calls_of(pid_t host_tid) {
  if (waiting_ == 0) return;
  std::lock_guard guard(lock_);
  for (const auto& entry : calls_) {
    if (entry->task->host_tid != host_tid) continue;
    entry->is_cancelled = true;
    // A signal that comes just before the host call blocks is lost on it, hence the repetition.
    for (int attempt = 0; attempt < 100 && !entry->is_done; ++attempt) {
      ::pthread_kill(entry->thread.native_handle(), interrupt_signal());
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
}

void ParkedCalls::serve(Parked& parked) {
  change_interrupt_signal(SIG_UNBLOCK);  // the engine's threads, which made this one, block all
  SyscallResult result = err(EINTR);
  do {
    result = parked.work(*parked.call, parked.is_cancelled);
  } while (!result && result.error() == Errno(EINTR) && !parked.is_cancelled);
  if (!result && result.error() == Errno(EINTR)) {
    parked.task->set_interrupted_on_purpose(Task::Interrupted::kYes);
    result = kRestartSys;
  }
  // An answer must not be interrupted: a descriptor half installed would be answered with 0.
  change_interrupt_signal(SIG_BLOCK);
  parked.work = nullptr;  // closes what it waited on
  Call::answer(*parked.call, std::move(result));
  --waiting_;
  parked.is_done = true;
}

bool ParkedCalls::must_end(Parked& parked) {
  if (parked.is_cancelled) return true;
  if (!parked.call->is_waiting()) return true;
  Result<TaskStatus> status = read_task_status(host_proc_, parked.task->host_tid);
  if (!status) return true;
  // The kernel makes a SIGKILL of every fatal signal once it is sent.
  if (parked.ended_by == EndedBy::kFatalSignal) return status->pending_signals & bit_of(SIGKILL);
  return has_signal_to_act_on(*status);
}

void ParkedCalls::watch() {
  std::unique_lock guard(lock_);
  for (;;) {
    for (auto entry = calls_.begin(); entry != calls_.end();) {
      Parked& parked = **entry;
      if (parked.is_done) {
        parked.thread.join();
        entry = calls_.erase(entry);
        continue;
      }
      if (is_ending_ || must_end(parked)) {
        parked.is_cancelled = true;
        ::pthread_kill(parked.thread.native_handle(), interrupt_signal());
      }
      ++entry;
    }
    if (is_ending_ && calls_.empty()) return;
    if (calls_.empty())
      changed_.wait(guard);
    else
      changed_.wait_for(guard, kSignalCheckInterval);
  }
}

}  // namespace sandbox
