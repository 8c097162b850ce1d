// Receiving and answering notifications.
#include "platform/notify_listener.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

#include "platform/descriptor_message.h"
#include "sandbox/check.h"

// Newer than the headers of the oldest distribution that is built on (Linux 6.6).
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace sandbox::platform {

namespace {

int stop_signal() { return SIGRTMAX - 3; }

// The handler has nothing to do but to end the ioctl.
void handle_stop_signal() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  sigaction(stop_signal(), &action, nullptr);
}

// Everything but the stop signal is for other threads.
void prepare_worker_signals() {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, stop_signal());
  pthread_sigmask(SIG_SETMASK, &set, nullptr);
}

// The kernel's struct may be longer than this build's header knows.
size_t notification_size() {
  seccomp_notif_sizes sizes{};
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return sizeof(seccomp_notif);
  return std::max(sizeof(seccomp_notif), size_t{sizes.seccomp_notif});
}

SyscallEvent event_of(const seccomp_notif& notification) {
  SyscallEvent event{static_cast<pid_t>(notification.pid),
                     static_cast<uint32_t>(notification.data.nr),
                     {},
                     notification.data.instruction_pointer};
  std::copy(std::begin(notification.data.args), std::end(notification.data.args), event.args.begin());
  return event;
}

void send_response(int listener, seccomp_notif_resp response) {
  while (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno == EINTR) {
  }
  // Any other failure: the thread was killed.
}

}  // namespace

void NotifyListener::start(UniqueFd listener, size_t worker_count, PathDescriptors& path_descriptors,
                           Handler handler) {
  path_descriptors_ = &path_descriptors;
  listener_ = std::make_shared<UniqueFd>(std::move(listener));
  handler_ = std::move(handler);
  // An answer then wakes the caller on the worker's own CPU, where it was (Linux 6.6; older ones answer
  // slower).
  ioctl(listener_->get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  handle_stop_signal();
  running_workers_ = worker_count;
  for (size_t i = 0; i < worker_count; ++i) {
    workers_.emplace_back([this] {
      serve();
      --running_workers_;
    });
  }
}

void NotifyListener::stop() {
  is_stopping_ = true;
  // A signal that comes just before the ioctl blocks is lost on it: it is repeated until the worker is out.
  while (running_workers_ > 0) {
    for (std::thread& worker : workers_) pthread_kill(worker.native_handle(), stop_signal());
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

// After ENOENT: the caller died first, or nobody uses the filter any more. In the latter case the ioctl would
// fail for ever. Whether to go on.
bool NotifyListener::wait_after_nothing() {
  pollfd state{listener_->get(), POLLIN, 0};
  if (poll(&state, 1, -1) < 0) return errno == EINTR;
  return (state.revents & POLLHUP) == 0;
}

void NotifyListener::serve() {
  prctl(PR_SET_NAME, "sandbox-notify");
  prepare_worker_signals();
  std::vector<std::byte> buffer(notification_size());
  InstallPlacement placement;
  auto& notification = *reinterpret_cast<seccomp_notif*>(buffer.data());
  while (!is_stopping_) {
    std::memset(buffer.data(), 0, buffer.size());
    if (ioctl(listener_->get(), SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) {
      if (errno == EINTR) continue;
      SANDBOX_CHECK(errno == ENOENT, "the listener of the seccomp filter failed");
      if (!wait_after_nothing()) return;
      continue;
    }
    NotifyCall call(listener_, *path_descriptors_, notification.id, event_of(notification), &placement);
    placement.note_call(call.event().host_tid);
    handler_(call);
    SANDBOX_CHECK(call.is_settled(), "a system call was left without an answer");
  }
}

NotifyCall::~NotifyCall() {
  // A parked call whose owner gave it up; were nothing sent, its thread would wait for ever.
  if (!is_settled_) send(0, -EINTR, 0);
}

bool NotifyCall::is_waiting() { return ioctl(listener_->get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id_) == 0; }

void NotifyCall::send(int64_t value, int32_t error, uint32_t flags) {
  send_response(listener_->get(), {id_, value, error, flags});
  is_settled_ = true;
}

void NotifyCall::reply(int64_t value) {
  const bool is_error = value < 0 && value >= -4095;
  send(is_error ? 0 : value, is_error ? static_cast<int32_t>(value) : 0, 0);
}

void NotifyCall::run_natively() { send(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

Result<int> NotifyCall::add_descriptor(int fd, CloseOnExec close_on_exec, AfterInstall after) {
  seccomp_notif_addfd request{};
  request.id = id_;
  request.flags = after == AfterInstall::kAnswered ? SECCOMP_ADDFD_FLAG_SEND : 0;
  request.srcfd = static_cast<uint32_t>(fd);
  request.newfd_flags = close_on_exec == CloseOnExec::kYes ? O_CLOEXEC : 0;
  auto add = [&] {
    int number;
    do {
      number = ioctl(listener_->get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request);
    } while (number < 0 && errno == EINTR);
    return host_result(number);
  };
  auto result = placement_ != nullptr ? placement_->run(event_.host_tid, add) : add();
  if (result || result.error() == Errno(EMFILE) || result.error() == Errno(EBADF)) return result;
  return err(ESRCH);
}

Result<int> NotifyCall::install(int fd, CloseOnExec close_on_exec) {
  return add_descriptor(fd, close_on_exec, AfterInstall::kStillWaits);
}

Result<void> NotifyCall::reply_with_path_fd(UniqueFd fd, CloseOnExec close_on_exec) {
  int ends[2];
  TRY(host_status(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends)));
  UniqueFd theirs(ends[0]), ours(ends[1]);
  const int sent = fd.get();
  TRY(send_descriptors(ours.get(), std::span(&sent, 1)));
  int number = TRY(add_descriptor(theirs.get(), CloseOnExec::kYes, AfterInstall::kStillWaits));
  is_settled_ = true;
  path_descriptors_.deliver(event_.host_tid, number, close_on_exec, [listener = listener_, id = id_, number] {
    send_response(listener->get(), {id, number, 0, 0});
  });
  return {};
}

void NotifyCall::reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) {
  auto number = add_descriptor(fd.get(), close_on_exec, AfterInstall::kAnswered);
  if (number) {
    is_settled_ = true;
    return;
  }
  // That is how the kernel refuses a descriptor that is a path only, before it looks for the caller.
  if (number.error() == Errno(EBADF)) {
    auto done = reply_with_path_fd(std::move(fd), close_on_exec);
    if (!done) reply(done.error().as_return());
    return;
  }
  reply(number.error().as_return());
}

std::unique_ptr<InterceptedCall> NotifyCall::park() {
  is_settled_ = true;
  // Other threads install too seldom to learn where to be.
  return std::make_unique<NotifyCall>(listener_, path_descriptors_, id_, event_, nullptr);
}

}  // namespace sandbox::platform
