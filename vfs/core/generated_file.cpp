// Generated files: private tmpfs files filled when opened and again whenever reading restarts at 0.
#include "vfs/core/generated_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/write_all.h"
#include "vfs/core/dentry.h"

namespace sandbox::vfs {

namespace {

// Of the files with names.
std::string name_of(size_t place) { return std::to_string(place); }

size_t place_of(const Dentry* dentry) {
  // Addresses differ in their middle.
  return reinterpret_cast<uintptr_t>(dentry) * 0x9e3779b97f4a7c15u >> 48;
}

// Linux grants a lease for writing only where nobody else has the file open, in whatever process or message.
bool is_open_elsewhere(int writer) {
  if (::fcntl(writer, F_SETLEASE, F_WRLCK) != 0) return true;
  ::fcntl(writer, F_SETLEASE, F_UNLCK);
  return false;
}

constexpr int kKeptFlags = O_ACCMODE | O_NONBLOCK | O_APPEND | O_PATH;

}  // namespace

GeneratedFiles::GeneratedFiles(UniqueFd directory) : directory_(std::move(directory)) {
  struct stat status;
  if (::fstat(directory_.get(), &status) == 0) device_ = status.st_dev;
}

// ---- opening ----

Result<UniqueFd> GeneratedFiles::open(const Location& where, std::string_view content, int flags,
                                      mode_t permissions) {
  if ((flags & (O_ACCMODE | O_PATH)) == O_RDONLY) {
    auto reused = open_reused(where, content, flags);
    if (reused) return reused;
  }
  return open_new(where, content, flags, permissions);
}

Result<UniqueFd> GeneratedFiles::open_new(const Location& where, std::string_view content, int flags,
                                          mode_t permissions) {
  UniqueFd writer(
      TRY(host_result(::openat(directory_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, permissions & 0777))));
  TRY(write_all_at(writer.get(), content, 0));
  struct stat status;
  TRY(host_status(::fstat(writer.get(), &status)));
  {
    std::lock_guard lock(lock_);
    makers_[status.st_ino] = {
        .where = where, .is_read_only = (flags & O_ACCMODE) == O_RDONLY, .reused = std::nullopt};
    age(status.st_ino);
  }
  // A second open gives the workload its own offset and only the access it asked for.
  std::string path = "/proc/self/fd/" + std::to_string(writer.get());
  return UniqueFd(TRY(host_result(::open(path.c_str(), (flags & kKeptFlags) | O_CLOEXEC))));
}

Result<UniqueFd> GeneratedFiles::open_reused(const Location& where, std::string_view content, int flags) {
  const size_t place = place_of(where.dentry.get()) % kReused;
  Reused& file = reused_[place];
  std::unique_lock lock(file.lock, std::try_to_lock);
  if (!lock) return err(EBUSY);
  const bool is_wanted_again = file.refused == where.dentry.get();
  file.refused = nullptr;
  if (file.inode == 0 || !(file.where == where)) {
    if (file.inode != 0 && !is_wanted_again) {
      file.refused = where.dentry.get();
      return err(EBUSY);
    }
    TRY(give_place(place, where));
  } else if (is_open_elsewhere(file.writer.get())) {
    return err(EBUSY);
  }
  if (file.content != content) {
    // Cut first: pages that a reader has spliced into a pipe or a socket stay what they were.
    if (!file.content.empty()) TRY(host_status(::ftruncate(file.writer.get(), 0)));
    file.content.clear();
    TRY(write_all_at(file.writer.get(), content, 0));
    file.content = content;
  }
  return UniqueFd(TRY(host_result(
      ::openat(directory_.get(), name_of(place).c_str(), (flags & kKeptFlags) | O_CLOEXEC | O_NOFOLLOW))));
}

Result<void> GeneratedFiles::give_place(size_t place, const Location& where) {
  Reused& file = reused_[place];
  if (file.inode != 0) retire(place);
  file.writer = UniqueFd(TRY(host_result(
      ::openat(directory_.get(), name_of(place).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600))));
  struct stat status;
  TRY(host_status(::fstat(file.writer.get(), &status)));
  file.inode = status.st_ino;
  file.where = where;
  std::lock_guard lock(lock_);
  makers_[file.inode] = {.where = where, .is_read_only = true, .reused = place};
  return {};
}

void GeneratedFiles::retire(size_t place) {
  Reused& file = reused_[place];
  ::unlinkat(directory_.get(), name_of(place).c_str(), 0);
  {
    std::lock_guard lock(lock_);
    age(file.inode);
  }
  file.inode = 0;
  file.writer.reset();
  file.content.clear();
  file.where = {};
}

void GeneratedFiles::age(ino_t inode) {
  order_.push_front(inode);
  if (order_.size() <= kMaximumRemembered) return;
  makers_.erase(order_.back());
  order_.pop_back();
}

// ---- descriptors that come back ----

std::optional<GeneratedFiles::Maker> GeneratedFiles::maker_of(ino_t inode) {
  std::lock_guard lock(lock_);
  auto found = makers_.find(inode);
  if (found == makers_.end()) return std::nullopt;
  return found->second;
}

std::optional<Location> GeneratedFiles::location_of(dev_t device, ino_t inode) {
  if (device != device_) return std::nullopt;
  std::optional<Maker> maker = maker_of(inode);
  if (!maker) return std::nullopt;
  return std::move(maker->where);
}

Result<std::string> GeneratedFiles::refill(int host_fd, ino_t inode,
                                           const std::function<Result<std::string>()>& make) {
  std::optional<Maker> maker = maker_of(inode);
  Writable* file = maker && maker->reused ? &reused_[*maker->reused] : &refilled_[inode % kRefilled];
  std::unique_lock lock(file->lock);
  if (maker && maker->reused && file->inode != inode) {
    // Its place is another's by now.
    lock.unlock();
    file = &refilled_[inode % kRefilled];
    lock = std::unique_lock(file->lock);
  }
  std::string content = TRY(make());
  bool is_known = file->inode == inode;
  // What the workload may have written itself goes away.
  bool is_read_only = maker && maker->is_read_only;
  if (is_known && is_read_only && file->content == content) return content;
  if (!is_known) {
    std::string path = "/proc/self/fd/" + std::to_string(host_fd);
    file->inode = 0;
    file->writer = UniqueFd(TRY(host_result(::open(path.c_str(), O_WRONLY | O_CLOEXEC))));
  }
  // Writing before cutting: a reader at 0 never sees an empty file.
  TRY(write_all_at(file->writer.get(), content, 0));
  if (!is_known || !is_read_only || file->content.size() != content.size())
    TRY(host_status(::ftruncate(file->writer.get(), static_cast<off_t>(content.size()))));
  file->inode = inode;
  file->content = content;
  return content;
}

}  // namespace sandbox::vfs
