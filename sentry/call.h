// Call: one intercepted system call with its task, and what every handler needs to answer it.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/intercepted_call.h"
#include "sandbox/guest_memory.h"
#include "sandbox/result.h"
#include "sandbox/syscall_types.h"
#include "sentry/task.h"
#include "vfs/core/vfs.h"

namespace sandbox {

class Sentry;
using platform::CloseOnExec;

inline constexpr DirFd kCwd{{AT_FDCWD}};

// What a handler answers: a value, a descriptor to install, "let the kernel do it", or nothing yet.
class Reply {
 public:
  // Not explicit: `return 0;` is how most handlers end.
  Reply(int64_t value) : kind_(Kind::kValue), value_(value) {}
  // The workload gets a duplicate of `fd` and its number as the result (EMFILE when its table is full).
  // kBeforeReturn: the sentry's own copy is closed before the caller goes on, for objects that tell when
  // their last descriptor closes (a FIFO's end, a terminal, a file open for writing); it costs a wake-up.
  enum class CloseOwn : uint8_t { kSoon, kBeforeReturn };
  static Reply descriptor(UniqueFd fd, CloseOnExec close_on_exec, CloseOwn close_own = CloseOwn::kSoon);
  // The kernel runs the call, reading registers and memory again: say why that is harmless.
  static Reply run_natively() { return Reply(Kind::kNative); }
  // The handler took the call with Call::park and answers it from another thread.
  static Reply parked() { return Reply(Kind::kParked); }

 private:
  friend class Call;
  enum class Kind : uint8_t { kValue, kDescriptor, kNative, kParked };
  explicit Reply(Kind kind) : kind_(kind) {}

  Kind kind_;
  CloseOnExec close_on_exec_ = CloseOnExec::kNo;
  CloseOwn close_own_ = CloseOwn::kSoon;
  int64_t value_ = 0;
  UniqueFd fd_;
};
using SyscallResult = Result<Reply>;

// A path argument of an *at call, read and placed: what the Vfs methods take.
struct PathArgument {
  vfs::Location base;
  std::string path;
  vfs::WalkOptions options;
};

// Who calls, as the VFS sees it: a snapshot of the task's root, cwd, umask and credentials.
class CallerSnapshot {
 public:
  // Errors: ESRCH when the task died meanwhile.
  static Result<CallerSnapshot> of(Sentry& sentry, Task& task);
  const vfs::Caller& caller() const { return *caller_; }
  const Credentials& credentials() const { return *credentials_; }

 private:
  CallerSnapshot() = default;
  FsContext::SnapshotPtr fs_;
  std::shared_ptr<const Credentials> credentials_;
  std::optional<vfs::Caller> caller_;  // refers to *credentials_
};

// Lives on the engine's stack while the call waits. Handlers are `SyscallResult sys_NAME(Call&, typed
// arguments...)`, declared from syscalls.def, one file a family in sentry/calls.
class Call {
 public:
  Call(Sentry& sentry, platform::InterceptedCall& intercepted, TaskPtr task, CallerSnapshot snapshot)
      : sentry_(sentry), intercepted_(&intercepted), task_(std::move(task)), snapshot_(std::move(snapshot)) {}

  Sentry& sentry() { return sentry_; }
  vfs::Vfs& vfs();
  Task& task() { return *task_; }
  const TaskPtr& task_ptr() { return task_; }
  GuestMemory& memory() { return intercepted_->memory(); }
  platform::InterceptedCall& intercepted() { return *intercepted_; }
  const platform::SyscallEvent& event() const { return intercepted_->event(); }

  // Root, cwd, umask and credentials as they were when the call arrived.
  const vfs::Caller& caller() { return snapshot_.caller(); }
  const Credentials& credentials() { return snapshot_.credentials(); }

  // ---- arguments ----
  Result<std::string> read_path(GuestPtr<const char> path) { return memory().read_path(path); }
  // Where a relative `path` starts: the cwd for AT_FDCWD, else the directory behind the descriptor. An
  // absolute path does not look at `directory`. Errors: EBADF, ENOTDIR.
  Result<vfs::Location> base(DirFd directory, std::string_view path);
  // Reads `path` and finds its base. `at_flags`: AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH count (with the
  // latter "" names the descriptor's own object, of any type), the others are the handler's to check.
  // Errors: EFAULT, ENAMETOOLONG, ENOENT (""), EBADF, ENOTDIR.
  Result<PathArgument> path_at(DirFd directory, GuestPtr<const char> path, int at_flags = 0);
  // For calls that follow only with AT_SYMLINK_FOLLOW (linkat, the l-calls).
  Result<PathArgument> path_at_nofollow(DirFd directory, GuestPtr<const char> path, int at_flags = 0);

  // The task that the caller means by a pid of its own namespace, 0 being itself. Errors: ESRCH.
  Result<TaskPtr> task_called(pid_t inside_tid);

  // A duplicate of the caller's descriptor. Errors: EBADF.
  Result<UniqueFd> descriptor(Fd fd);
  // What the descriptor refers to in the VFS. Errors: EBADF.
  Result<vfs::Location> object(Fd fd);
  // The same as PathArgument naming the object itself. Errors: EBADF.
  Result<PathArgument> object_path(Fd fd);
  // For calls that refuse O_PATH descriptors (fchmod, fchown, fsetxattr). Errors: EBADF.
  Result<PathArgument> open_object_path(Fd fd);

  // ---- other ways to answer ----
  // Takes the call off the engine's thread; the handler then returns Reply::parked().
  std::unique_ptr<platform::InterceptedCall> park() { return intercepted_->park(); }
  // Sends what a handler returned. For the dispatcher and ParkedCalls only.
  static void answer(platform::InterceptedCall& intercepted, SyscallResult result);

 private:
  Sentry& sentry_;
  platform::InterceptedCall* intercepted_;
  TaskPtr task_;
  CallerSnapshot snapshot_;
};

// Errors: EINVAL when `flags` has a bit outside `allowed`.
inline Result<void> allow_flags(uint64_t flags, uint64_t allowed) {
  if (flags & ~allowed) return err(EINVAL);
  return {};
}
inline CloseOnExec close_on_exec_of(uint64_t open_flags) {
  return open_flags & O_CLOEXEC ? CloseOnExec::kYes : CloseOnExec::kNo;
}

}  // namespace sandbox
