// The process beside the sentry. It shares the sentry's memory and thread storage, so one of the two always
// waits for the other.
#include "platform/pid_namespace_launcher.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "platform/mount_calls.h"
#include "platform/pidfd.h"

namespace sandbox::platform {

namespace {

class ProcessBesideSentry final : public PidNamespaceLauncher {
 public:
  ~ProcessBesideSentry() override {
    if (process_) {
      (void)send_signal(process_, SIGKILL);
      wait_for_its_end();
    }
    if (stack_ != MAP_FAILED) munmap(stack_, kStackSize);
  }

  Result<void> start(const UniqueFd& pid_namespace) {
    sentry_ = TRY(open_pidfd(getpid()));
    ready_ = UniqueFd(TRY(host_result(eventfd(0, EFD_CLOEXEC))));
    go_ = UniqueFd(TRY(host_result(eventfd(0, EFD_CLOEXEC))));
    pid_namespace_ = pid_namespace.get();
    stack_ =
        mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack_ == MAP_FAILED) return last_error();
    const int process =
        clone([](void* self) { return static_cast<ProcessBesideSentry*>(self)->serve(); },
              static_cast<char*>(stack_) + kStackSize, CLONE_VM | CLONE_FILES | CLONE_PARENT | SIGCHLD, this);
    if (process < 0) return last_error();
    process_ = TRY(open_pidfd(process));
    TRY(wait_for(ready_));
    return outcome_;
  }

  UniqueFd take_procfs() override { return std::move(procfs_); }

  Result<pid_t> launch(unsigned long clone_flags, const LaunchPlan& plan, int callers_end) override {
    clone_flags_ = clone_flags;
    plan_ = &plan;
    callers_end_ = callers_end;
    raise(go_);
    wait_for_its_end();
    process_.reset();
    TRY(outcome_);
    return first_;
  }

 private:
  static constexpr size_t kStackSize = 256 * 1024;

  static void raise(const UniqueFd& event) {
    const uint64_t one = 1;
    (void)!write(event.get(), &one, sizeof one);
  }
  // Errors: ESRCH: the process is gone.
  Result<void> wait_for(const UniqueFd& event) const {
    std::array<pollfd, 2> events{{{event.get(), POLLIN, 0}, {process_.get(), POLLIN, 0}}};
    while (poll(events.data(), events.size(), -1) < 0) {
    }
    if (events[0].revents == 0) return err(ESRCH);
    return {};
  }
  void wait_for_its_end() const {
    pollfd end{process_.get(), POLLIN, 0};
    while (poll(&end, 1, -1) < 0) {
    }
  }

  // In that process. Should the sentry be killed meanwhile, it ends as well.
  int serve() {
    outcome_ = host_status(setns(pid_namespace_, CLONE_NEWPID));
    const bool is_entered = outcome_.has_value();
    if (is_entered) make_procfs();
    raise(ready_);
    if (!is_entered) return 1;
    std::array<pollfd, 2> events{{{go_.get(), POLLIN, 0}, {sentry_.get(), POLLIN, 0}}};
    while (poll(events.data(), events.size(), -1) < 0) {
    }
    if (events[0].revents == 0) return 1;
    outcome_ = launch_here();
    return 0;
  }

  // Only a process of the namespace can, so there is one for a moment.
  void make_procfs() {
    auto mount = [](void* self) {
      auto context = open_file_system("proc");
      if (!context) return 1;
      auto made = mount_detached(*context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
      if (made) static_cast<ProcessBesideSentry*>(self)->procfs_ = *std::move(made);
      return 0;
    };
    const int child = clone(mount, static_cast<char*>(stack_) + kStackSize / 2,
                            CLONE_VM | CLONE_FILES | CLONE_VFORK | SIGCHLD, this);
    if (child > 0) waitpid(child, nullptr, 0);
  }

  Result<void> launch_here() {
    TRY(host_status(setns(sentry_.get(), CLONE_NEWUSER | CLONE_NEWNS)));
    long child = syscall(SYS_clone, clone_flags_, 0, 0, 0, 0);
    if (child < 0) return last_error();
    if (child == 0) {
      close(callers_end_);
      run_launch_child(*plan_);
    }
    first_ = static_cast<pid_t>(child);
    return {};
  }

  UniqueFd sentry_, ready_, go_, process_, procfs_;
  int pid_namespace_ = -1, callers_end_ = -1;
  void* stack_ = MAP_FAILED;
  unsigned long clone_flags_ = 0;
  const LaunchPlan* plan_ = nullptr;
  Result<void> outcome_;
  pid_t first_ = 0;
};

}  // namespace

Result<std::unique_ptr<PidNamespaceLauncher>> PidNamespaceLauncher::create(const UniqueFd& pid_namespace) {
  auto process = std::make_unique<ProcessBesideSentry>();
  TRY(process->start(pid_namespace));
  return std::unique_ptr<PidNamespaceLauncher>(std::move(process));
}

}  // namespace sandbox::platform
