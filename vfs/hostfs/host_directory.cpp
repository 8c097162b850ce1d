// Opening, pinning and closing the descriptors of host directories.
#include "vfs/hostfs/host_directory.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <mutex>

#include "sandbox/check.h"

namespace sandbox::vfs {

HostIdentity HostIdentity::of(const Attributes& attributes) {
  return {makedev(attributes.stx_dev_major, attributes.stx_dev_minor), attributes.stx_ino,
          static_cast<mode_t>(attributes.stx_mode & S_IFMT), attributes.stx_btime.tv_sec,
          attributes.stx_btime.tv_nsec};
}

// The open descriptors of all handles in the order of a clock's hand (second chance).
class HostDirectory::OpenList {
 public:
  OpenList() {
    struct rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit_ = std::clamp<size_t>(limit.rlim_cur / 2, 4, 4096);
  }

  void admit(HostDirectory& directory) {
    std::lock_guard guard(lock_);
    if (!directory.is_listed_) {
      directory.listed_at_ = open_.insert(open_.end(), &directory);
      directory.is_listed_ = true;
    }
    shrink_to(limit_);
  }
  void forget(HostDirectory& directory) {
    std::lock_guard guard(lock_);
    if (directory.is_listed_) open_.erase(directory.listed_at_);
    directory.is_listed_ = false;
  }
  void set_limit(size_t limit) {
    std::lock_guard guard(lock_);
    limit_ = limit;
    shrink_to(limit_);
  }
  size_t limit() {
    std::lock_guard guard(lock_);
    return limit_;
  }
  size_t size() {
    std::lock_guard guard(lock_);
    return open_.size();
  }
  void close_idle() {
    std::lock_guard guard(lock_);
    shrink_to(open_.size() / 2);
  }

 private:
  void shrink_to(size_t target) {
    // Twice round the clock: the first time may only take away second chances. Pinned ones stay.
    for (size_t steps = 2 * open_.size(); open_.size() > target && steps > 0; --steps) {
      HostDirectory& oldest = *open_.front();
      uint64_t state = oldest.state_.load(std::memory_order_acquire);
      bool is_idle =
          !oldest.used_lately_.exchange(false, std::memory_order_relaxed) && (state & kPinMask) == 0;
      if (is_idle && oldest.state_.compare_exchange_strong(state, 0, std::memory_order_acq_rel)) {
        if (state != 0) ::close(static_cast<int>(state >> 32) - 1);
        open_.pop_front();
        oldest.is_listed_ = false;
      } else {
        open_.splice(open_.end(), open_, open_.begin());
      }
    }
  }

  std::mutex lock_;
  std::list<HostDirectory*> open_;
  size_t limit_;
};

HostDirectory::OpenList& HostDirectory::open_list() {
  static auto* list = new OpenList;  // never destroyed: handles may outlive static destructors
  return *list;
}

void HostDirectory::set_descriptor_limit(size_t limit) { open_list().set_limit(limit); }
size_t HostDirectory::descriptor_limit() { return open_list().limit(); }
size_t HostDirectory::open_descriptors() { return open_list().size(); }
void HostDirectory::close_idle_descriptors() { open_list().close_idle(); }

Result<HostDirectoryPtr> HostDirectory::create_root(UniqueFd root) {
  Attributes attributes = TRY(host_attributes({root.get(), ""}));
  auto directory = std::make_shared<HostDirectory>(nullptr, "", HostIdentity::of(attributes));
  // The pin that is never given back keeps it open.
  directory->state_ = (static_cast<uint64_t>(root.release() + 1) << 32) | 1;
  return directory;
}

HostDirectory::HostDirectory(HostDirectoryPtr parent, std::string name, const HostIdentity& identity)
    : parent_(std::move(parent)), name_(std::move(name)), identity_(identity) {}

HostDirectory::~HostDirectory() {
  open_list().forget(*this);
  uint64_t state = state_.load(std::memory_order_acquire);
  if (state != 0) ::close(static_cast<int>(state >> 32) - 1);
  // A chain of parents that only this handle kept is taken down here, as deep trees would exhaust the
  // stack by recursion.
  while (parent_ != nullptr && parent_.use_count() == 1) {
    HostDirectoryPtr grandparent = std::move(parent_->parent_);
    parent_ = std::move(grandparent);
  }
}

HostDirectory::Pin HostDirectory::try_pin() {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (state >> 32 != 0) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) {
      if (!used_lately_.load(std::memory_order_relaxed)) used_lately_.store(true, std::memory_order_relaxed);
      return Pin(this, static_cast<int>(state >> 32) - 1);
    }
  }
  return Pin();
}

Result<HostDirectory::Pin> HostDirectory::pin() {
  if (Pin pin = try_pin(); pin.owner_ != nullptr) return pin;
  std::vector<HostDirectory*> closed;
  Pin nearest;
  for (HostDirectory* at = this; nearest.owner_ == nullptr; at = at->parent_.get()) {
    SANDBOX_CHECK(at != nullptr, "the root of a host tree is always open");
    nearest = at->try_pin();
    if (nearest.owner_ == nullptr) closed.push_back(at);
  }
  for (auto at = closed.rbegin(); at != closed.rend(); ++at) {
    UniqueFd fd = TRY((*at)->open_below(nearest.get()));
    nearest = (*at)->adopt(std::move(fd));
  }
  return nearest;
}

Result<UniqueFd> HostDirectory::open_below(int parent) const {
  if (is_removed_) return err(ENOENT);
  auto fd = host_open({parent, name_.c_str()}, O_PATH | O_DIRECTORY);
  if (!fd) return err(fd.error() == Errno(ENOTDIR) ? ENOENT : fd.error().value());
  if (HostIdentity::of(TRY(host_attributes({fd->get(), ""}))) != identity_) return err(ENOENT);
  return fd;
}

HostDirectory::Pin HostDirectory::adopt(UniqueFd fd) {
  uint64_t state = 0;
  while (!state_.compare_exchange_weak(state, (static_cast<uint64_t>(fd.get() + 1) << 32) | 1,
                                       std::memory_order_acq_rel)) {
    // Another thread was faster: its descriptor is as good.
    if (Pin pin = try_pin(); pin.owner_ != nullptr) return pin;
    state = 0;
  }
  Pin pin(this, fd.release());
  used_lately_.store(true, std::memory_order_relaxed);
  open_list().admit(*this);
  return pin;
}

bool HostDirectory::is_current() {
  if (parent_ == nullptr) return true;
  auto parent = parent_->pin();
  if (!parent) return false;
  auto attributes = host_attributes({parent->get(), name_.c_str()});
  return attributes && HostIdentity::of(*attributes) == identity_;
}

void HostDirectory::moved(HostDirectoryPtr new_parent, std::string_view new_name) {
  parent_ = std::move(new_parent);
  name_ = new_name;
}

}  // namespace sandbox::vfs
