// What handlers ask of a Call: snapshots, places of paths, descriptors, and sending the answer.
#include "sentry/call.h"

#include "sentry/sentry.h"

namespace sandbox {

Reply Reply::descriptor(UniqueFd fd, CloseOnExec close_on_exec, CloseOwn close_own) {
  Reply reply(Kind::kDescriptor);
  reply.fd_ = std::move(fd);
  reply.close_on_exec_ = close_on_exec;
  reply.close_own_ = close_own;
  return reply;
}

Result<CallerSnapshot> CallerSnapshot::of(Sentry& sentry, Task& task) {
  CallerSnapshot snapshot;
  snapshot.credentials_ = TRY(task.credentials(sentry.host_proc(), sentry.uid_map(), sentry.gid_map()));
  snapshot.fs_ = task.fs()->snapshot();
  snapshot.caller_.emplace(vfs::Caller{.root = snapshot.fs_->root,
                                       .cwd = snapshot.fs_->cwd,
                                       .credentials = *snapshot.credentials_,
                                       .umask = snapshot.fs_->umask,
                                       .host_tid = task.host_tid});
  return snapshot;
}

vfs::Vfs& Call::vfs() { return sentry_.vfs(); }

Result<vfs::Location> Call::base(DirFd directory, std::string_view path) {
  if (path.starts_with('/')) return caller().root;
  if (directory == AT_FDCWD) return caller().cwd;
  UniqueFd fd = TRY(descriptor(Fd{{directory}}));
  std::optional<vfs::Location> location = vfs().directory_of(fd.get());
  if (!location) return err(ENOTDIR);
  return *std::move(location);
}

Result<PathArgument> Call::path_at(DirFd directory, GuestPtr<const char> path, int at_flags) {
  PathArgument argument;
  argument.path = TRY(read_path(path));
  if (at_flags & AT_SYMLINK_NOFOLLOW) argument.options.follow = vfs::FollowLast::kNo;
  if (!argument.path.empty()) {
    argument.base = TRY(base(directory, argument.path));
    return argument;
  }
  if (!(at_flags & AT_EMPTY_PATH)) return err(ENOENT);
  argument.options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  argument.base = directory == AT_FDCWD ? caller().cwd : TRY(object(Fd{{directory}}));
  return argument;
}

Result<PathArgument> Call::path_at_nofollow(DirFd directory, GuestPtr<const char> path, int at_flags) {
  int inverted = at_flags & AT_SYMLINK_FOLLOW ? at_flags : at_flags | AT_SYMLINK_NOFOLLOW;
  return path_at(directory, path, inverted);
}

Result<TaskPtr> Call::task_called(pid_t inside_tid) {
  if (inside_tid == 0) return task_;
  TaskPtr task = sentry_.tasks().find_inside(inside_tid, sentry_.host_proc());
  if (!task) return err(ESRCH);
  return task;
}

Result<UniqueFd> Call::descriptor(Fd fd) {
  if (fd < 0) return err(EBADF);
  UniqueFd copy = TRY(task_->descriptor(fd));
  if (!task_->is_table_certain()) {
    if (!intercepted_->is_waiting()) return err(EBADF);
    task_->set_table_certain();
  }
  return copy;
}

Result<vfs::Location> Call::object(Fd fd) {
  UniqueFd copy = TRY(descriptor(fd));
  return vfs().locate(caller(), std::move(copy));
}

Result<PathArgument> Call::object_path(Fd fd) {
  PathArgument argument;
  argument.base = TRY(object(fd));
  argument.options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  return argument;
}

Result<PathArgument> Call::open_object_path(Fd fd) {
  UniqueFd copy = TRY(descriptor(fd));
  if (TRY(host_result(::fcntl(copy.get(), F_GETFL))) & O_PATH) return err(EBADF);
  PathArgument argument;
  argument.base = TRY(vfs().locate(caller(), std::move(copy)));
  argument.options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  return argument;
}

void Call::answer(platform::InterceptedCall& intercepted, SyscallResult result) {
  if (!result) {
    intercepted.reply(result.error().as_return());
    return;
  }
  Reply& reply = *result;
  switch (reply.kind_) {
    case Reply::Kind::kValue:
      intercepted.reply(reply.value_);
      return;
    case Reply::Kind::kDescriptor:
      if (reply.close_own_ == Reply::CloseOwn::kBeforeReturn) {
        Result<int> number = intercepted.install(reply.fd_.get(), reply.close_on_exec_);
        reply.fd_.reset();
        intercepted.reply(number ? *number : number.error().as_return());
        return;
      }
      intercepted.reply_with_fd(std::move(reply.fd_), reply.close_on_exec_);
      return;
    case Reply::Kind::kNative:
      intercepted.run_natively();
      return;
    case Reply::Kind::kParked:
      return;
  }
}

}  // namespace sandbox
