// The toy's handling of the few calls its filter traps.
#include "toy_supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace sandbox::platform {

namespace {

struct PathShape {
  int directory = -1;  // index of the dirfd argument, -1: none
  int path;
};

std::optional<PathShape> shape_of(uint32_t number) {
  switch (number) {
    case SYS_open:
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_readlink:
    case SYS_chdir:
    case SYS_statfs:
    case SYS_unlink:
    case SYS_mkdir:
      return PathShape{-1, 0};
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_readlinkat:
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_unlinkat:
      return PathShape{0, 1};
    default:
      return std::nullopt;
  }
}

int64_t status(int64_t value) { return value < 0 ? -errno : value; }

template <typename T>
int64_t copy_out(InterceptedCall& call, uint64_t address, const T& value) {
  auto written = call.memory().write(GuestPtr<T>{address}, value);
  return written ? 0 : written.error().as_return();
}

}  // namespace

std::string ToySupervisor::place(pid_t tid, const std::string& path) {
  if (path.starts_with('/')) return path;
  std::lock_guard lock(mutex_);
  return processes_[groups_[tid]].cwd + "/" + path;
}

int64_t ToySupervisor::answer(InterceptedCall& call, UniqueFd& installed) {
  const SyscallEvent& event = call.event();
  const auto& args = event.args;
  if (event.number == SYS_getcwd) {
    std::string cwd = place(event.host_tid, "");
    if (cwd.size() > 1) cwd.pop_back();
    auto written = call.memory().write_bytes(args[0], std::as_bytes(std::span(cwd.c_str(), cwd.size() + 1)));
    return written ? static_cast<int64_t>(cwd.size() + 1) : -EFAULT;
  }
  auto shape = shape_of(event.number);
  auto text = call.memory().read_path({args[shape->path]});
  if (!text) return text.error().as_return();
  if (text->empty()) return -ENOENT;
  const std::string path = place(event.host_tid, *text);
  struct stat info;
  switch (event.number) {
    case SYS_open:
    case SYS_openat: {
      const int flags = static_cast<int>(args[shape->path + 1]);
      installed.reset(open(path.c_str(), flags | O_CLOEXEC, args[shape->path + 2]));
      return installed ? 0 : -errno;
    }
    case SYS_stat:
      return stat(path.c_str(), &info) < 0 ? -errno : copy_out(call, args[1], info);
    case SYS_lstat:
      return lstat(path.c_str(), &info) < 0 ? -errno : copy_out(call, args[1], info);
    case SYS_newfstatat:
      return fstatat(AT_FDCWD, path.c_str(), &info, args[3]) < 0 ? -errno : copy_out(call, args[2], info);
    case SYS_statx: {
      struct statx extended;
      if (statx(AT_FDCWD, path.c_str(), args[2], args[3], &extended) < 0) return -errno;
      return copy_out(call, args[4], extended);
    }
    case SYS_access:
      return status(access(path.c_str(), args[1]));
    case SYS_faccessat:
    case SYS_faccessat2:
      return status(access(path.c_str(), args[2]));
    case SYS_readlink:
    case SYS_readlinkat: {
      char target[PATH_MAX];
      ssize_t size = readlink(path.c_str(), target, std::min<size_t>(sizeof target, args[shape->path + 2]));
      if (size < 0) return -errno;
      return call.memory().write_bytes(args[shape->path + 1], std::as_bytes(std::span(target, size)))
                 ? size
                 : -EFAULT;
    }
    case SYS_chdir: {
      if (stat(path.c_str(), &info) < 0) return -errno;
      if (!S_ISDIR(info.st_mode)) return -ENOTDIR;
      std::lock_guard lock(mutex_);
      processes_[groups_[event.host_tid]].cwd = path;
      return 0;
    }
    case SYS_statfs: {
      struct statfs system;
      return statfs(path.c_str(), &system) < 0 ? -errno : copy_out(call, args[1], system);
    }
    case SYS_unlink:
    case SYS_unlinkat:
      return status(unlink(path.c_str()));
    case SYS_mkdir:
      return status(mkdir(path.c_str(), args[1]));
  }
  return -ENOSYS;
}

void ToySupervisor::on_syscall(InterceptedCall& call) {
  ++calls;
  const SyscallEvent& event = call.event();
  {
    std::lock_guard lock(mutex_);
    if (!groups_.contains(event.host_tid)) ++strangers;
  }
  // A descriptor's own object: the kernel looks at nothing but the descriptor.
  const bool is_at = event.number == SYS_newfstatat || event.number == SYS_statx;
  if (is_at && (event.args[event.number == SYS_statx ? 2 : 3] & AT_EMPTY_PATH)) {
    auto path = call.memory().read_path({event.args[1]});
    if (path && path->empty()) return call.run_natively();
  }
  // The rest of what the table emulates: in the empty root it finds nothing, and descriptors are real ones.
  if (event.number != SYS_getcwd && !shape_of(event.number)) return call.run_natively();
  const bool is_open = event.number == SYS_open || event.number == SYS_openat;
  auto finish = [this](InterceptedCall& target) {
    UniqueFd installed;
    int64_t value = answer(target, installed);
    const auto flags = target.event().args[target.event().number == SYS_open ? 1 : 2];
    if (installed) {
      target.reply_with_fd(std::move(installed), flags & O_CLOEXEC ? CloseOnExec::kYes : CloseOnExec::kNo);
    } else {
      target.reply(value);
    }
  };
  if (is_open && parks_opens) {
    std::thread([finish, parked = call.park()] { finish(*parked); }).detach();
    return;
  }
  finish(call);
}

Result<ExecImage> ToySupervisor::load(const std::string& path, std::vector<std::string> prefix, int depth) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return last_error();
  struct stat info;
  TRY(host_status(fstat(file.get(), &info)));
  if (!S_ISREG(info.st_mode) || access(path.c_str(), X_OK) < 0) return err(EACCES);
  char head[256] = {};
  (void)!pread(file.get(), head, sizeof head - 1, 0);
  if (head[0] == '#' && head[1] == '!') {
    if (depth > 4) return err(ELOOP);
    std::string line(head + 2, std::find(head + 2, head + sizeof head - 1, '\n'));
    line.erase(0, line.find_first_not_of(" \t"));
    size_t space = line.find_first_of(" \t");
    std::vector<std::string> chain{line.substr(0, space)};
    if (space != std::string::npos) chain.push_back(line.substr(line.find_first_not_of(" \t", space)));
    chain.push_back(path);
    if (!prefix.empty()) chain.insert(chain.end(), prefix.begin() + 1, prefix.end());
    return load(chain.front(), chain, depth + 1);
  }
  ExecImage image{TRY(read_elf(std::move(file), ElfRole::kProgram)), {}, std::move(prefix), path, ""};
  if (!image.program.interpreter.empty()) {
    UniqueFd interpreter(open(image.program.interpreter.c_str(), O_RDONLY | O_CLOEXEC));
    if (!interpreter) return last_error();
    image.interpreter = TRY(read_elf(std::move(interpreter), ElfRole::kInterpreter));
  }
  image.comm = path.substr(path.rfind('/') + 1);
  return image;
}

Result<void> ToySupervisor::on_exec(const SyscallEvent& event, GuestMemory& memory) {
  std::string path = TRY(memory.read_path({event.args[event.number == SYS_execveat ? 1 : 0]}));
  ExecImage image = TRY(load(place(event.host_tid, path), {}, 0));
  std::lock_guard lock(mutex_);
  pid_t tgid =
      groups_.contains(event.host_tid) ? groups_[event.host_tid] : groups_[event.host_tid] = event.host_tid;
  processes_[tgid].pending = std::move(image);
  return {};
}

std::optional<ExecImage> ToySupervisor::take_exec_image(pid_t host_tgid) {
  ++execs;
  std::lock_guard lock(mutex_);
  return std::exchange(processes_[host_tgid].pending, std::nullopt);
}

void ToySupervisor::on_clone(pid_t host_parent_tid, pid_t host_tid, uint64_t flags) {
  ++births;
  std::lock_guard lock(mutex_);
  pid_t parent = groups_[host_parent_tid];
  if (flags & CLONE_THREAD) {
    groups_[host_tid] = parent;
  } else {
    groups_[host_tid] = host_tid;
    processes_[host_tid].cwd = processes_[parent].cwd;
  }
}

void ToySupervisor::on_thread_exit(pid_t host_tid, int) {
  ++deaths;
  std::lock_guard lock(mutex_);
  groups_.erase(host_tid);
  processes_.erase(host_tid);
}

}  // namespace sandbox::platform
