// SentryKernelView: what /proc is told of the sandbox's tasks.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "sandbox/kernel_view.h"
#include "sentry/sentry.h"

namespace sandbox {

// Safe to call with the Vfs's tree lock held by the same thread. The sentry is given later than the
// procfs that asks: until then there are no tasks.
class SentryKernelView final : public KernelView {
 public:
  SentryKernelView(int host_proc, IdMap uid_map, IdMap gid_map, std::string hostname);
  void set_sentry(Sentry& sentry) { sentry_ = &sentry; }
  // The built-in init's host pid; 0: the program itself is process 1.
  void set_init(pid_t host_pid) { host_init_ = host_pid; }
  // The loader's file, whose mappings are hidden.
  void set_loader(dev_t device, ino_t inode) { loader_ = {device, inode}; }
  // A descriptor handed in from outside: what it refers to has no path in here.
  void note_passed_descriptor(int host_fd);
  void set_reserved_descriptor(int number) { reserved_descriptor_ = number; }

  std::vector<pid_t> process_ids() override;
  std::vector<pid_t> thread_ids(pid_t tgid) override;
  Result<TaskView> task(pid_t tgid, pid_t tid) override;
  pid_t pid_inside(pid_t host_pid) override;
  int host_proc() override { return host_proc_; }
  Result<UniqueFd> descriptor_of(const TaskView& task, int fd) override;
  std::string describe_descriptor(int host_fd) override;
  std::string describe_mapping(const TaskView& task, uint64_t device, uint64_t inode,
                               const std::string& host_path) override;
  int64_t start_time_ns() override { return sentry_ ? sentry_->start_time_ns() : 0; }
  std::string hostname() override;
  const IdMap& uid_map() override { return uid_map_; }
  const IdMap& gid_map() override { return gid_map_; }
  int reserved_descriptor() override { return reserved_descriptor_; }

  // The regular file that has this path inside, for the sentry to read; none when there is none.
  UniqueFd open_regular(const std::string& path);

  // Where /proc/PID/{root,cwd,exe} lead; `exe` is empty for a task without a program. Errors: ESRCH.
  struct Places {
    vfs::Location root, cwd, exe;
  };
  Result<Places> places(const TaskView& task);

 private:
  TaskPtr find(pid_t tgid, pid_t tid);
  std::string former_path(const std::string& host_text, dev_t device);
  TaskView view_of(Task& task, Task::InsideIds ids);
  TaskView view_of_init();
  // Leaders that exited and were not reaped, in the order they did.
  struct Zombie {
    pid_t host_tgid = 0, tgid = 0;
  };
  std::vector<Zombie> zombies();
  TaskView view_of_zombie(const Zombie& zombie);
  std::string path_of_file(const TaskView& task, uint64_t device, uint64_t inode,
                           const std::string& host_path);

  static constexpr size_t kRememberedMappings = 4096;

  Sentry* sentry_ = nullptr;
  const int host_proc_;
  const IdMap uid_map_, gid_map_;
  const std::string hostname_;
  pid_t host_init_ = 0;
  std::pair<dev_t, ino_t> loader_{0, 0};
  std::vector<std::pair<dev_t, ino_t>> passed_;
  int reserved_descriptor_ = -1;

  std::mutex lock_;
  std::unordered_map<std::string, std::string> mapped_paths_;  // lock_; "device:inode" and host path
};

}  // namespace sandbox
