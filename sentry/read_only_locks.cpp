// The table of such locks and the search for their owners.
#include "sentry/read_only_locks.h"

#include <dirent.h>
#include <linux/kcmp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace sandbox {

namespace {

// Whether `fd` of the task is the same open file description as our `own`; negative where nobody can say.
long compare(int own, pid_t host_tid, int fd) {
  return ::syscall(SYS_kcmp, ::getpid(), host_tid, KCMP_FILE, own, fd);
}

bool has_description(int host_proc, pid_t host_tid, int own) {
  const std::string path = std::to_string(host_tid) + "/fd";
  UniqueFd directory(::openat(host_proc, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return false;
  DIR* entries = ::fdopendir(directory.release());
  if (entries == nullptr) return false;
  bool is_found = false;
  while (const dirent* entry = is_found ? nullptr : ::readdir(entries)) {
    if (entry->d_name[0] != '.') is_found = compare(own, host_tid, std::atoi(entry->d_name)) == 0;
  }
  ::closedir(entries);
  return is_found;
}

}  // namespace

bool ReadOnlyLocks::is_about(int fd) {
  struct stat status;
  struct statvfs mount;
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::fstatvfs(fd, &mount) == 0 &&
         (mount.f_flag & ST_RDONLY);
}

bool ReadOnlyLocks::is_open_inside(const Lock& lock, int host_proc) const {
  for (const TaskPtr& task : tasks_.all()) {
    bool has_other_table = task->is_group_leader() || !task->uses_table_of_process();
    if (has_other_table && has_description(host_proc, task->host_tid, lock.file.get())) return true;
  }
  return false;
}

Result<void> ReadOnlyLocks::lock(int file, int operation, int host_proc) {
  const int kind = operation & ~LOCK_NB;
  if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return err(EINVAL);
  if (compare(file, ::getpid(), file) != 0) return err(ENOLCK);
  struct stat status;
  TRY(host_status(::fstat(file, &status)));

  std::lock_guard guard(lock_);
  if (locks_.size() > kUncheckedLocks)
    locks_.remove_if([&](const Lock& other) { return !is_open_inside(other, host_proc); });
  auto own = locks_.end();
  for (auto other = locks_.begin(); other != locks_.end();) {
    auto next = std::next(other);
    if (other->device == status.st_dev && other->inode == status.st_ino) {
      if (compare(file, ::getpid(), other->file.get()) == 0) {
        own = other;
      } else if (kind == LOCK_EX || (kind == LOCK_SH && other->is_exclusive)) {
        if (is_open_inside(*other, host_proc)) {
          // Linux gives up the old lock before it asks for the new one (flock(2), "not atomic").
          if (own != locks_.end()) locks_.erase(own);
          return err(EWOULDBLOCK);
        }
        locks_.erase(other);
      }
    }
    other = next;
  }
  if (own != locks_.end()) locks_.erase(own);
  if (kind == LOCK_UN) return {};
  UniqueFd copy(TRY(host_result(::fcntl(file, F_DUPFD_CLOEXEC, 3))));
  locks_.push_back({status.st_dev, status.st_ino, std::move(copy), kind == LOCK_EX});
  return {};
}

}  // namespace sandbox
