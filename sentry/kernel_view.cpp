// Tasks, descriptors and mappings in the words of the sandbox.
#include "sentry/kernel_view.h"

#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "sentry/task_status.h"

namespace sandbox {

namespace {

// What the sentry asks the Vfs for on nobody's behalf: it may go anywhere, and sees no /proc of its own.
const Credentials& sentry_credentials() {
  static const Credentials all{.effective_caps = ~uint64_t{0}};
  return all;
}

vfs::Caller sentry_caller(vfs::Vfs& vfs) {
  return {.root = vfs.root(), .cwd = vfs.root(), .credentials = sentry_credentials(), .umask = 0};
}

std::string read_own_link(int fd) {
  char text[PATH_MAX];
  ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), text, sizeof text);
  return length < 0 ? std::string() : std::string(text, length);
}

std::string last_component(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

SentryKernelView::SentryKernelView(int host_proc, IdMap uid_map, IdMap gid_map, std::string hostname)
    : host_proc_(host_proc),
      uid_map_(std::move(uid_map)),
      gid_map_(std::move(gid_map)),
      hostname_(std::move(hostname)) {}

std::vector<pid_t> SentryKernelView::process_ids() {
  std::vector<pid_t> ids;
  if (host_init_ != 0) ids.push_back(1);
  if (sentry_ == nullptr) return ids;
  for (const TaskPtr& task : sentry_->tasks().all()) {
    pid_t tgid = task->inside_ids(host_proc_).tgid;
    if (tgid != 0) ids.push_back(tgid);
  }
  for (const Zombie& zombie : zombies()) ids.push_back(zombie.tgid);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::vector<pid_t> SentryKernelView::thread_ids(pid_t tgid) {
  std::vector<pid_t> ids;
  if (host_init_ != 0 && tgid == 1) ids.push_back(1);
  if (sentry_ == nullptr) return ids;
  for (const TaskPtr& task : sentry_->tasks().all()) {
    Task::InsideIds inside = task->inside_ids(host_proc_);
    if (inside.tgid == tgid && inside.tid != 0) ids.push_back(inside.tid);
  }
  for (const Zombie& zombie : zombies())
    if (zombie.tgid == tgid) ids.push_back(tgid);
  std::ranges::sort(ids);
  return ids;
}

TaskPtr SentryKernelView::find(pid_t tgid, pid_t tid) {
  if (sentry_ == nullptr) return nullptr;
  TaskPtr task = sentry_->tasks().find_inside(tid, host_proc_);
  const bool is_of_group = task && (tgid == 0 || task->inside_ids(host_proc_).tgid == tgid);
  return is_of_group ? task : nullptr;
}

TaskView SentryKernelView::view_of(Task& task, Task::InsideIds ids) {
  vfs::Vfs& vfs = sentry_->vfs();
  auto fs = task.fs()->snapshot();
  ProgramPtr program = task.process->program();
  TaskView view{.tid = ids.tid, .tgid = ids.tgid, .host_tid = task.host_tid, .host_tgid = task.host_tgid()};
  if (program->exe) view.exe = vfs.display_path(fs->root, program->exe);
  view.argv_prefix = program->argv_prefix;
  view.cwd = vfs.display_path(fs->root, fs->cwd);
  view.root = vfs.display_path(vfs.root(), fs->root);
  view.umask = fs->umask;
  view.has_no_new_privs = task.no_new_privs() == NoNewPrivs::kSet;
  if (auto ids = task.own_ids())
    view.kept = std::make_shared<const TaskView::Kept>(ids->credentials(), ids->capabilities.sets);
  view.core_limit = task.process->core_limit();
  return view;
}

TaskView SentryKernelView::view_of_init() {
  return {.tid = 1, .tgid = 1, .host_tid = host_init_, .host_tgid = host_init_, .cwd = "/", .root = "/"};
}

std::vector<SentryKernelView::Zombie> SentryKernelView::zombies() {
  std::vector<Zombie> found;
  if (sentry_ == nullptr) return found;
  for (pid_t host_tgid : sentry_->tasks().exited_leaders()) {
    Result<TaskStatus> status = read_task_status(host_proc_, host_tgid);
    // A number that was given anew belongs to a task in the table, or to nobody's child in here.
    bool is_ours = status && status->state == 'Z' && status->tgid == host_tgid &&
                   (status->parent == host_init_ || sentry_->tasks().find(status->parent) != nullptr);
    if (is_ours) {
      found.push_back({.host_tgid = host_tgid, .tgid = status->inside_tgid});
    } else {
      sentry_->tasks().forget_exited_leader(host_tgid);
    }
  }
  return found;
}

TaskView SentryKernelView::view_of_zombie(const Zombie& zombie) {
  // A leader may be gone while its group lives on.
  std::vector<TaskPtr> others = sentry_->tasks().of_group(zombie.host_tgid);
  TaskView view =
      others.empty() ? TaskView{} : view_of(*others.front(), {.tid = zombie.tgid, .tgid = zombie.tgid});
  view.tid = view.tgid = zombie.tgid;
  view.host_tid = view.host_tgid = zombie.host_tgid;
  return view;
}

Result<TaskView> SentryKernelView::task(pid_t tgid, pid_t tid) {
  if (host_init_ != 0 && tid == 1 && tgid <= 1) return view_of_init();
  TaskPtr found = find(tgid, tid);
  if (!found) {
    for (const Zombie& zombie : zombies())
      if (zombie.tgid == tid && (tgid == 0 || tgid == tid)) return view_of_zombie(zombie);
    return err(ESRCH);
  }
  return view_of(*found, found->inside_ids(host_proc_));
}

pid_t SentryKernelView::pid_inside(pid_t host_pid) {
  if (host_pid == 0 || sentry_ == nullptr) return 0;
  if (host_pid == host_init_) return 1;
  if (TaskPtr task = sentry_->tasks().find(host_pid)) return task->inside_ids(host_proc_).tid;
  // A zombie has left the table and still has its number.
  if (host_init_ == 0) return 0;
  Result<TaskStatus> status = read_task_status(host_proc_, host_pid);
  if (!status || status->state != 'Z' || status->inside_tid == host_pid) return 0;
  return status->inside_tid;
}

Result<UniqueFd> SentryKernelView::descriptor_of(const TaskView& view, int fd) {
  TaskPtr task = sentry_ ? sentry_->tasks().find(view.host_tid) : nullptr;
  if (!task) return err(ESRCH);
  return task->descriptor(fd);
}

std::string SentryKernelView::describe_descriptor(int host_fd) {
  std::string text = read_own_link(host_fd);
  if (!text.starts_with('/')) return text;  // pipe:[N], socket:[N], anon_inode:[...]
  vfs::Vfs& vfs = sentry_->vfs();
  UniqueFd copy(::fcntl(host_fd, F_DUPFD_CLOEXEC, 0));
  Result<vfs::Location> place = vfs.locate(sentry_caller(vfs), std::move(copy));
  // Only an object that is nothing but open is in a file system without a root.
  if (place && place->mount->filesystem->root() != nullptr) return vfs.display_path(vfs.root(), *place);
  struct stat status;
  if (::fstat(host_fd, &status) != 0) return {};
  if (S_ISCHR(status.st_mode)) {
    // A device that was passed may have been opened inside as well, through a mount that says less; the
    // terminal from outside has another name in here.
    vfs::Caller caller = sentry_caller(vfs);
    for (const std::string& name : {"/dev/" + last_component(text), std::string("/dev/console")}) {
      auto own = vfs.stat(caller, caller.root, name, {.follow = vfs::FollowLast::kNo});
      if (own && own->stx_ino == status.st_ino &&
          makedev(own->stx_dev_major, own->stx_dev_minor) == status.st_dev)
        return name;
    }
    if (text.starts_with("/dev/")) return text;
  }
  bool is_passed = std::ranges::find(passed_, std::pair(status.st_dev, status.st_ino)) != passed_.end();
  bool has_no_name =
      is_passed || text.starts_with("/memfd:") || text.starts_with("/SYSV") || text.starts_with("/#");
  if (has_no_name) return "/" + last_component(text);
  return former_path(text, status.st_dev);
}

// Where a deleted file was. The kernel prints the path below the host mount the file was opened through.
std::string SentryKernelView::former_path(const std::string& host_text, dev_t device) {
  constexpr std::string_view kUpper = "/upper/", kDeleted = " (deleted)";
  // Gone in here, and still there for the host: a file of a lower layer.
  if (!host_text.ends_with(kDeleted)) return host_text + std::string(kDeleted);
  vfs::Vfs& vfs = sentry_->vfs();
  vfs::Caller caller = sentry_caller(vfs);
  for (const auto& mount : vfs.mounts(vfs.root())) {
    std::string mountpoint = mount.mountpoint == "/" ? "" : mount.mountpoint;
    bool is_overlay = mount.type == "overlay";
    if (is_overlay ? !host_text.starts_with(kUpper) : mount.device != device) continue;
    std::string path = mountpoint + (is_overlay ? host_text.substr(kUpper.size() - 1) : host_text);
    // Of several mounts of one device, the one that has its directory.
    if (vfs.stat(caller, caller.root, path.substr(0, path.rfind('/') + 1), {})) return path;
  }
  return "/" + last_component(host_text);
}

void SentryKernelView::note_passed_descriptor(int host_fd) {
  struct stat status;
  if (::fstat(host_fd, &status) == 0) passed_.emplace_back(status.st_dev, status.st_ino);
}

std::string SentryKernelView::describe_mapping(const TaskView& task, uint64_t device, uint64_t inode,
                                               const std::string& host_path) {
  if (std::pair<dev_t, ino_t>(device, inode) == loader_) return {};
  std::string key = fmt::format("{}:{}:{}", device, inode, host_path);
  {
    std::lock_guard guard(lock_);
    if (auto known = mapped_paths_.find(key); known != mapped_paths_.end()) return known->second;
  }
  std::string path = path_of_file(task, device, inode, host_path);
  std::lock_guard guard(lock_);
  if (mapped_paths_.size() >= kRememberedMappings) mapped_paths_.clear();
  mapped_paths_.emplace(std::move(key), path);
  return path;
}

// The kernel prints the path below the host mount the file was opened through; the same path below one
// of the sandbox's mounts is right when the file there is this one.
UniqueFd SentryKernelView::open_regular(const std::string& path) {
  vfs::Vfs& vfs = sentry_->vfs();
  const vfs::Caller caller = sentry_caller(vfs);
  auto attributes = vfs.stat(caller, caller.root, path, {});
  if (!attributes || !S_ISREG(attributes->stx_mode)) return {};
  // Should a FIFO take its place meanwhile, nobody waits for its other end.
  auto opened = vfs.open(caller, caller.root, path, {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY});
  return opened ? std::move(opened->fd) : UniqueFd();
}

std::string SentryKernelView::path_of_file(const TaskView& task, uint64_t device, uint64_t inode,
                                           const std::string& host_path) {
  vfs::Vfs& vfs = sentry_->vfs();
  vfs::Caller caller = sentry_caller(vfs);
  auto is_the_file = [&](const std::string& path) {
    auto found = vfs.stat(caller, caller.root, path, {.follow = vfs::FollowLast::kNo});
    return found && makedev(found->stx_dev_major, found->stx_dev_minor) == device && found->stx_ino == inode;
  };
  if (is_the_file(task.exe)) return task.exe;
  if (is_the_file(host_path)) return host_path;
  for (const auto& line : vfs.mounts(vfs.root())) {
    std::string path = line.mountpoint == "/" ? host_path : line.mountpoint + host_path;
    if (is_the_file(path)) return path;
    // An upper layer keeps its tree one directory below its mount.
    size_t second = host_path.find('/', 1);
    if (second == host_path.npos) continue;
    path = (line.mountpoint == "/" ? "" : line.mountpoint) + host_path.substr(second);
    if (is_the_file(path)) return path;
  }
  return "/" + last_component(host_path);
}

std::string SentryKernelView::hostname() { return hostname_; }

Result<SentryKernelView::Places> SentryKernelView::places(const TaskView& view) {
  if (sentry_ == nullptr) return err(ESRCH);
  vfs::Location root = sentry_->vfs().root();
  if (view.host_tid == host_init_ && host_init_ != 0) return Places{.root = root, .cwd = root, .exe = {}};
  TaskPtr task = sentry_->tasks().find(view.host_tid);
  if (!task) return err(ESRCH);
  auto fs = task->fs()->snapshot();
  return Places{.root = fs->root, .cwd = fs->cwd, .exe = task->process->program()->exe};
}

}  // namespace sandbox
