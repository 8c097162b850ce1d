// FakeKernel: a KernelView over the real /proc of the test process, with pids, paths and ids of its own.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "sandbox/kernel_view.h"

namespace sandbox::test {

// A process inside has the number of its host process plus an offset, so that no host number can pass
// for one of ours unnoticed.
class FakeKernel : public KernelView {
 public:
  static constexpr pid_t kOffset = 5'000'000;  // above any host pid

  FakeKernel() : proc_(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) { add(::getpid()); }

  void add(pid_t host_pid) { processes_.push_back(host_pid); }
  static pid_t inside(pid_t host_pid) { return host_pid + kOffset; }

  std::vector<pid_t> process_ids() override {
    std::vector<pid_t> ids;
    for (pid_t pid : processes_) ids.push_back(inside(pid));
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<pid_t> thread_ids(pid_t tgid) override {
    std::vector<pid_t> ids;
    std::string path = fmt::format("/proc/{}/task", tgid - kOffset);
    if (DIR* stream = ::opendir(path.c_str())) {
      while (const dirent* entry = ::readdir(stream))
        if (entry->d_name[0] != '.') ids.push_back(inside(std::atoi(entry->d_name)));
      ::closedir(stream);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  Result<TaskView> task(pid_t tgid, pid_t tid) override {
    for (pid_t host_tgid : processes_) {
      std::string path = fmt::format("/proc/{}/task/{}", host_tgid, tid - kOffset);
      if ((tgid != 0 && tgid != inside(host_tgid)) || ::access(path.c_str(), F_OK) < 0) continue;
      TaskView view = prototype;
      view.tid = tid;
      view.tgid = inside(host_tgid);
      view.host_tid = tid - kOffset;
      view.host_tgid = host_tgid;
      return view;
    }
    return err(ESRCH);
  }
  pid_t pid_inside(pid_t host_pid) override {
    for (pid_t host_tgid : processes_)
      if (::access(fmt::format("/proc/{}/task/{}", host_tgid, host_pid).c_str(), F_OK) == 0)
        return inside(host_pid);
    return 0;
  }
  int host_proc() override { return proc_.get(); }
  Result<UniqueFd> descriptor_of(const TaskView& task, int fd) override {
    if (task.host_tgid != ::getpid()) return err(ESRCH);
    return UniqueFd(TRY(host_result(::fcntl(fd, F_DUPFD_CLOEXEC, 0))));
  }
  std::string describe_descriptor(int host_fd) override {
    struct stat status;
    return ::fstat(host_fd, &status) < 0 ? "?" : fmt::format("/inside/{}", status.st_ino);
  }
  std::string describe_mapping(const TaskView&, uint64_t, uint64_t, const std::string& host_path) override {
    return host_path == hidden_path ? "" : "/inside" + host_path;
  }
  int64_t start_time_ns() override { return 0; }
  std::string hostname() override { return "inner"; }
  const IdMap& uid_map() override { return uids; }
  const IdMap& gid_map() override { return gids; }
  int reserved_descriptor() override { return reserved; }

  TaskView prototype{.exe = "/bin/inner", .cwd = "/work", .root = "/", .umask = 027};
  IdMap uids = IdMap::identity(), gids = IdMap::identity();
  std::string hidden_path;
  int reserved = -1;

 private:
  UniqueFd proc_;
  std::vector<pid_t> processes_;
};

}  // namespace sandbox::test
