// DirectoryStubs: directories of a private tmpfs that stand for the VFS's.
#include "vfs/core/directory_stubs.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sandbox::vfs {

Result<std::unique_ptr<DirectoryStubs>> DirectoryStubs::create(HostMounter& mounter) {
  std::unique_ptr<DirectoryStubs> stubs(new DirectoryStubs);
  stubs->writable_ = TRY(mounter.new_tmpfs({.size_bytes = 0, .inode_limit = 1 << 20, .mode = 0755}));
  stubs->read_only_ =
      TRY(mounter.clone_tree(stubs->writable_.get(), "", MountAccess::kReadOnly, MountDevices::kHidden));
  struct stat status;
  TRY(host_status(::fstat(stubs->writable_.get(), &status)));
  stubs->device_ = status.st_dev;
  return stubs;
}

Result<std::string> DirectoryStubs::name_of(const Location& directory) {
  Key key{directory.mount.get(), directory.dentry.get()};
  if (auto known = names_.find(key); known != names_.end()) return known->second;
  std::string name = std::to_string(next_name_++);
  TRY(host_status(::mkdirat(writable_.get(), name.c_str(), 0555)));
  struct stat status;
  TRY(host_status(::fstatat(writable_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW)));
  locations_.emplace(status.st_ino, directory);
  names_.emplace(key, name);
  by_age_.push_back({key, status.st_ino});
  ++stubs_of_[directory.dentry.get()];
  return name;
}

Result<UniqueFd> DirectoryStubs::open(const Location& directory, int flags) {
  Forgotten forgotten;  // goes after the lock: a whole chain of parents may end with it
  UniqueFd opened;
  {
    std::lock_guard lock(lock_);
    if (names_.size() >= kKeptStubs) forgotten = take_old_names();
    std::string name = TRY(name_of(directory));
    int fd = ::openat(read_only_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | flags);
    opened = UniqueFd(TRY(host_result(fd)));
  }
  for (const DentryPtr& dentry : forgotten.unread) {
    std::lock_guard lock(dentry->listing_lock);
    dentry->listing = nullptr;
  }
  return opened;
}

// Half of the names at once, so that it happens seldom.
DirectoryStubs::Forgotten DirectoryStubs::take_old_names() {
  if (!closings_) closings_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  const std::string top = "/proc/self/fd/" + std::to_string(writable_.get()) + "/";
  for (size_t count = 0; closings_ && count < kKeptStubs / 2; ++count) {
    Stub oldest = by_age_.front();
    const std::string name = names_.at(oldest.key);
    int watch = ::inotify_add_watch(closings_.get(), (top + name).c_str(), IN_DELETE_SELF | IN_ONLYDIR);
    if (watch < 0) break;  // the user's limit of watches
    nameless_.emplace(watch, oldest.inode);
    ::unlinkat(writable_.get(), name.c_str(), AT_REMOVEDIR);
    names_.erase(oldest.key);
    by_age_.pop_front();
  }
  return take_closed();
}

DirectoryStubs::Forgotten DirectoryStubs::take_closed() {
  Forgotten closed;
  auto forget = [&](std::unordered_map<int, ino_t>::iterator nameless) {
    auto found = locations_.find(nameless->second);
    Location location = std::move(found->second);
    locations_.erase(found);
    auto next = nameless_.erase(nameless);
    auto count = stubs_of_.find(location.dentry.get());
    if (--count->second == 0) {
      stubs_of_.erase(count);
      closed.unread.push_back(location.dentry);
    }
    closed.locations.push_back(std::move(location));
    return next;
  };
  alignas(inotify_event) char buffer[16384];
  bool has_lost_events = false;
  ssize_t length;
  while (closings_ && (length = ::read(closings_.get(), buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < length;) {
      auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      has_lost_events |= (event->mask & IN_Q_OVERFLOW) != 0;
      auto nameless = nameless_.find(event->wd);
      if ((event->mask & IN_DELETE_SELF) && nameless != nameless_.end()) forget(nameless);
    }
  }
  // A watch that is gone cannot be removed. One that is there and now is removed stays known for ever.
  for (auto nameless = nameless_.begin(); has_lost_events && nameless != nameless_.end();) {
    bool is_gone = ::inotify_rm_watch(closings_.get(), nameless->first) != 0;
    nameless = is_gone ? forget(nameless) : nameless_.erase(nameless);
  }
  return closed;
}

size_t DirectoryStubs::size() const {
  std::lock_guard lock(lock_);
  return locations_.size();
}

std::optional<Location> DirectoryStubs::find(dev_t device, ino_t inode) const {
  if (device != device_) return std::nullopt;
  std::lock_guard lock(lock_);
  auto found = locations_.find(inode);
  if (found == locations_.end()) return std::nullopt;
  return found->second;
}

}  // namespace sandbox::vfs
