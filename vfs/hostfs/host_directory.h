// HostDirectory: a handle of one host directory whose descriptor is closed and opened again as needed.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <string>

#include "vfs/hostfs/host_calls.h"

namespace sandbox::vfs {

// What tells one host object from another that later takes its name. Inode numbers are reused at once
// by some file systems, hence the time of birth (zero where the file system keeps none).
struct HostIdentity {
  dev_t device = 0;
  uint64_t inode = 0;
  mode_t type = 0;  // S_IFMT
  int64_t birth_seconds = 0;
  uint32_t birth_nanoseconds = 0;

  static HostIdentity of(const Attributes& attributes);
  bool operator==(const HostIdentity&) const = default;
};

class HostDirectory;
using HostDirectoryPtr = std::shared_ptr<HostDirectory>;

// The handle knows its parent and its name there, never a path; an O_PATH descriptor is opened when it is
// first needed, one component below the parent's, without following a symbolic link, and must then be
// the directory that was looked up. All handles of the process together keep at most descriptor_limit()
// of them open: those not used lately are closed first. Roots stay open and are not counted.
//
// Locks: parent and name change only under Vfs's exclusive tree lock; all else is safe from any thread.
class HostDirectory {
 public:
  // The descriptor stays open while a pin of it lives. The handle must outlive the pin.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), fd_(other.fd_) {}
    Pin& operator=(Pin&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(fd_, other.fd_);
      return *this;
    }
    ~Pin() {
      if (owner_ != nullptr) owner_->state_.fetch_sub(1, std::memory_order_release);
    }
    int get() const { return fd_; }

   private:
    friend class HostDirectory;
    Pin(HostDirectory* owner, int fd) : owner_(owner), fd_(fd) {}
    HostDirectory* owner_ = nullptr;
    int fd_ = -1;
  };

  // A tree's root: `root` is an O_PATH descriptor, of a directory or (a bind of one file) of anything else.
  static Result<HostDirectoryPtr> create_root(UniqueFd root);
  HostDirectory(HostDirectoryPtr parent, std::string name, const HostIdentity& identity);
  ~HostDirectory();
  HostDirectory(const HostDirectory&) = delete;
  HostDirectory& operator=(const HostDirectory&) = delete;

  const HostIdentity& identity() const { return identity_; }

  // Errors: ENOENT (gone from the host, or something else has its name), EACCES, EMFILE.
  Result<Pin> pin();
  // Whether its name still means this directory on the host, asked with one call.
  bool is_current();
  // Tree lock exclusive: the directory was renamed on the host.
  void moved(HostDirectoryPtr new_parent, std::string_view new_name);
  // Tree lock exclusive: the directory was removed; a later pin gives ENOENT unless it is still open.
  void removed() { is_removed_ = true; }

  // At first min(4096, half of RLIMIT_NOFILE).
  static void set_descriptor_limit(size_t limit);
  static size_t descriptor_limit();
  // How many descriptors all handles but the roots have open now.
  static size_t open_descriptors();
  // Closes about half of those that nobody uses: what to do on EMFILE.
  static void close_idle_descriptors();

 private:
  class OpenList;
  static OpenList& open_list();

  static constexpr uint64_t kPinMask = 0xffffffff;
  // The pin when the descriptor is open, else a pin without an owner.
  Pin try_pin();
  Result<UniqueFd> open_below(int parent) const;
  Pin adopt(UniqueFd fd);

  HostDirectoryPtr parent_;
  std::string name_;
  const HostIdentity identity_;
  bool is_removed_ = false;
  // Descriptor + 1 (0: closed) in the upper half, how many pins in the lower.
  std::atomic<uint64_t> state_{0};
  std::atomic<bool> used_lately_{false};
  // Guarded by the open list's lock.
  bool is_listed_ = false;
  std::list<HostDirectory*>::iterator listed_at_;
};

// Where a node of the host is now: valid while the pin lives and the owner of `name` does.
struct PinnedName {
  HostDirectory::Pin directory;
  const char* name;

  HostName host() const { return {directory.get(), name}; }
};

}  // namespace sandbox::vfs
