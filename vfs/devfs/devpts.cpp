// devpts: the sandbox's own terminals, seen through a directory of the host kernel's devpts.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "vfs/devfs/devfs.h"
#include "vfs/devfs/host_device.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/nodes.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

constexpr const char* kMultiplexer = "ptmx";
constexpr unsigned kMinorsPerMajor = 256;

class Devpts final : public SyntheticFilesystem {
 public:
  Devpts(KernelView& kernel, UniqueFd terminals)
      : SyntheticFilesystem("devpts", CachePolicy::kNever, DEVPTS_SUPER_MAGIC, "devpts",
                            "rw,mode=620,ptmxmode=666"),
        kernel_(kernel),
        terminals_(std::move(terminals)) {}
  KernelView& kernel() const { return kernel_; }
  int terminals() const { return terminals_.get(); }
  std::optional<std::string> path_of_descriptor(int host_fd) override;

 private:
  KernelView& kernel_;
  const UniqueFd terminals_;
};

// ptmx: each open makes a new terminal.
class Multiplexer : public HostDevice {
 public:
  Multiplexer(Devpts& devpts, UniqueFd object)
      : HostDevice(devpts, devpts.kernel(), std::move(object)), devpts_(devpts) {}

  Result<UniqueFd> open(const Caller& caller, int flags) override {
    UniqueFd master = TRY(HostDevice::open(caller, flags));
    if (!(flags & O_PATH)) give_to(caller, master.get());
    return master;
  }

 private:
  // The kernel gave the other end to who opened, which is the sentry. Without the right to change that
  // it stays so, and the ids of the two are one in any case.
  void give_to(const Caller& caller, int master) {
    unsigned index = 0;
    if (::ioctl(master, TIOCGPTN, &index) < 0) return;
    auto uid = devpts_.kernel().uid_map().to_outside(caller.credentials.fsuid);
    auto gid = devpts_.kernel().gid_map().to_outside(caller.credentials.fsgid);
    if (!uid || !gid) return;
    std::string name = std::to_string(index);
    [[maybe_unused]] int status =
        ::fchownat(devpts_.terminals(), name.c_str(), *uid, *gid, AT_SYMLINK_NOFOLLOW);
  }

  Devpts& devpts_;
};

// pts/N: its owner may change its mode (mesg(1)), root its owner (login(1)).
class Terminal : public HostDevice {
 public:
  using HostDevice::HostDevice;

  Result<void> setattr(const AttributeChange& change) override {
    std::string path = fmt::format("self/fd/{}", object());
    int proc = kernel().host_proc();
    if (change.uid || change.gid) {
      auto uid = change.uid ? kernel().uid_map().to_outside(*change.uid) : std::optional<uint32_t>(-1);
      auto gid = change.gid ? kernel().gid_map().to_outside(*change.gid) : std::optional<uint32_t>(-1);
      if (!uid || !gid) return err(EINVAL);
      TRY(host_status(::fchownat(proc, path.c_str(), *uid, *gid, 0)));
    }
    if (change.mode) TRY(host_status(::fchmodat(proc, path.c_str(), *change.mode, 0)));
    if (change.atime || change.mtime) {
      constexpr timespec kLeave = {0, UTIME_OMIT};
      const timespec times[] = {change.atime.value_or(kLeave), change.mtime.value_or(kLeave)};
      TRY(host_status(::utimensat(proc, path.c_str(), times, 0)));
    }
    return {};
  }
};

class TerminalDirectory : public SyntheticNode {
 public:
  explicit TerminalDirectory(Devpts& devpts)
      : SyntheticNode(devpts, SyntheticFilesystem::kRootInode, S_IFDIR | 0755), devpts_(devpts) {}

  Result<InodePtr> lookup(std::string_view name) override {
    bool is_terminal = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (!is_terminal && name != kMultiplexer) return err(ENOENT);
    std::string host_name(name);
    UniqueFd object(::openat(devpts_.terminals(), host_name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!object) return err(ENOENT);
    struct stat status;
    TRY(host_status(::fstat(object.get(), &status)));
    if (!S_ISCHR(status.st_mode)) return err(ENOENT);
    if (!is_terminal) return std::make_shared<Multiplexer>(devpts_, std::move(object));
    return std::make_shared<Terminal>(devpts_, devpts_.kernel(), std::move(object));
  }

  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    std::vector<DirectoryEntry> entries;
    for (const std::string& name : TRY(list_host_directory(devpts_.terminals(), "."))) {
      struct stat status;
      if (::fstatat(devpts_.terminals(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
      entries.push_back({name, status.st_ino, directory_entry_type(status.st_mode)});
    }
    return entries;
  }

 protected:
  uint32_t link_count() override { return 2; }

 private:
  Devpts& devpts_;
};

std::optional<std::string> Devpts::path_of_descriptor(int host_fd) {
  struct stat file, same;
  if (::fstat(host_fd, &file) < 0 || !S_ISCHR(file.st_mode)) return std::nullopt;
  unsigned major_number = major(file.st_rdev);
  unsigned index = (major_number - UNIX98_PTY_SLAVE_MAJOR) * kMinorsPerMajor + minor(file.st_rdev);
  bool is_terminal = major_number >= UNIX98_PTY_SLAVE_MAJOR &&
                     major_number < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
  std::string name = is_terminal ? std::to_string(index) : kMultiplexer;
  if (::fstatat(terminals_.get(), name.c_str(), &same, AT_SYMLINK_NOFOLLOW) < 0) return std::nullopt;
  if (same.st_dev != file.st_dev || same.st_ino != file.st_ino) return std::nullopt;
  return "/" + name;
}

}  // namespace

std::shared_ptr<Filesystem> create_devpts(KernelView& kernel, UniqueFd terminals) {
  auto devpts = std::make_shared<Devpts>(kernel, std::move(terminals));
  devpts->set_root(std::make_shared<TerminalDirectory>(*devpts));
  return devpts;
}

}  // namespace sandbox::vfs
