// /dev: pinned host devices, the caller's terminal, and the usual links.
#include "vfs/devfs/devfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <sys/sysmacros.h>

#include "sandbox/numbers.h"
#include "sandbox/process_stat.h"
#include "vfs/devfs/host_device.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/nodes.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

struct Device {
  const char* name;
  unsigned major, minor;
};
constexpr Device kDevices[] = {
    {"null", MEM_MAJOR, 3},   {"zero", MEM_MAJOR, 5},    {"full", MEM_MAJOR, 7},
    {"random", MEM_MAJOR, 8}, {"urandom", MEM_MAJOR, 9},
};
constexpr Device kTerminal = {"tty", TTYAUX_MAJOR, 0};
constexpr const char* kConsole = "console";

class Devfs final : public SyntheticFilesystem {
 public:
  explicit Devfs(DevfsOptions options)
      : SyntheticFilesystem("tmpfs", CachePolicy::kTrust, TMPFS_MAGIC, "tmpfs", "rw,size=65536k,mode=755"),
        options_(std::move(options)) {}
  const DevfsOptions& options_of_mount() const { return options_; }
  std::optional<std::string> path_of_descriptor(int host_fd) override;

 private:
  const DevfsOptions options_;
};

struct Link {
  const char* name;
  const char* target;
};
constexpr Link kLinks[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};
constexpr const char* kMountPoints[] = {"pts", "shm", "mqueue"};

// Session and terminal of a task, as the host's stat numbers them.
struct ControllingTerminal {
  pid_t session = 0;
  dev_t device = 0;  // 0: none
};

// Errors: ENXIO.
Result<ControllingTerminal> terminal_of(int host_proc, pid_t host_tid) {
  auto text = read_host_file(host_proc, fmt::format("{}/stat", host_tid));
  if (!text) return err(ENXIO);
  auto session = parse_number<pid_t>(stat_field(*text, StatField::kSession));
  if (!session) return err(ENXIO);
  ControllingTerminal terminal{.session = *session};
  // new_encode_dev: 12 bits of major between the two parts of the minor; what glibc's makedev undoes too.
  auto number = static_cast<unsigned>(parse_number<int>(stat_field(*text, StatField::kTerminal)).value_or(0));
  if (number != 0)
    terminal.device = makedev((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00));
  return terminal;
}

constexpr unsigned kFirstPtsMajor = UNIX98_PTY_SLAVE_MAJOR;
constexpr unsigned kLastPtsMajor = UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT - 1;
constexpr unsigned kMinorsPerMajor = 256;

// /dev/tty: whatever terminal controls the caller's session. The sentry opens on the caller's behalf,
// so the host's own /dev/tty would be the sentry's.
class CallersTerminal : public HostDevice {
 public:
  CallersTerminal(Devfs& devfs, KernelView& kernel, UniqueFd object)
      : HostDevice(devfs, kernel, std::move(object)), devfs_(devfs) {}

  // Errors: ENXIO (the caller has none).
  Result<UniqueFd> open(const Caller& caller, int flags) override {
    if (flags & O_PATH) return HostDevice::open(caller, flags);
    ControllingTerminal terminal = TRY(terminal_of(kernel().host_proc(), caller.host_tid));
    if (terminal.device == 0) return err(ENXIO);
    if (terminal.session == ::getsid(0)) return HostDevice::open(caller, flags);
    // A session begun inside: its terminal is one of the sandbox's own.
    unsigned major_number = major(terminal.device);
    if (major_number < kFirstPtsMajor || major_number > kLastPtsMajor) return err(ENXIO);
    int terminals = devfs_.options_of_mount().terminals.get();
    if (terminals < 0) return err(ENXIO);
    unsigned index = (major_number - kFirstPtsMajor) * kMinorsPerMajor + minor(terminal.device);
    std::string name = std::to_string(index);
    UniqueFd slave(::openat(terminals, name.c_str(), device_open_flags(flags) | O_NOFOLLOW | O_CLOEXEC));
    if (!slave) return err(errno == ENOENT ? ENXIO : errno);
    struct stat status;
    TRY(host_status(::fstat(slave.get(), &status)));
    if (status.st_rdev != terminal.device) return err(ENXIO);
    return slave;
  }

 private:
  Devfs& devfs_;
};

Result<InodePtr> make_terminal(Devfs& devfs) {
  const DevfsOptions& options = devfs.options_of_mount();
  UniqueFd object(::openat(options.host_devices.get(), kTerminal.name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!object) return last_error();
  struct stat status;
  TRY(host_status(::fstat(object.get(), &status)));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(kTerminal.major, kTerminal.minor))
    return err(ENODEV);
  return std::make_shared<CallersTerminal>(devfs, options.kernel, std::move(object));
}

std::optional<std::string> Devfs::path_of_descriptor(int host_fd) {
  struct stat file, same;
  if (::fstat(host_fd, &file) < 0 || !(S_ISCHR(file.st_mode) || S_ISBLK(file.st_mode))) return std::nullopt;
  auto is_same_node = [&] { return same.st_dev == file.st_dev && same.st_ino == file.st_ino; };
  // The console is the terminal itself under another name, so that ttyname(3) finds it; one of the sandbox's
  // own terminals has a name in /dev/pts.
  const bool has_own_name =
      options_.terminals && ::fstat(options_.terminals.get(), &same) == 0 && same.st_dev == file.st_dev;
  if (!has_own_name && options_.console && ::fstat(options_.console.get(), &same) == 0 && is_same_node())
    return fmt::format("/{}", kConsole);
  auto is_named = [&](const Device& device) {
    return file.st_rdev == makedev(device.major, device.minor) &&
           ::fstatat(options_.host_devices.get(), device.name, &same, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same_node();
  };
  for (const Device& device : kDevices)
    if (is_named(device)) return fmt::format("/{}", device.name);
  for (const DevfsOptions::Extra& extra : options_.extra)
    if (::fstat(extra.object.get(), &same) == 0 && is_same_node()) return "/" + extra.path;
  if (is_named(kTerminal)) return fmt::format("/{}", kTerminal.name);
  return std::nullopt;
}

}  // namespace

std::shared_ptr<Filesystem> create_devfs(DevfsOptions given) {
  auto devfs = std::make_shared<Devfs>(std::move(given));
  const DevfsOptions& options = devfs->options_of_mount();
  auto root = std::make_shared<FixedDirectory>(*devfs, SyntheticFilesystem::kRootInode, 0755);
  for (const Device& device : kDevices) {
    auto node = HostDevice::create(*devfs, options.kernel, options.host_devices.get(), device.name,
                                   makedev(device.major, device.minor));
    if (node) root->add(device.name, std::move(*node));
  }
  if (auto terminal = make_terminal(*devfs)) root->add(kTerminal.name, std::move(*terminal));
  if (options.console) {
    UniqueFd object(::fcntl(options.console.get(), F_DUPFD_CLOEXEC, 0));
    if (object) root->add(kConsole, std::make_shared<HostDevice>(*devfs, options.kernel, std::move(object)));
  }
  for (const DevfsOptions::Extra& extra : options.extra) {
    size_t slash = extra.path.rfind('/');
    FixedDirectory& folder =
        slash == extra.path.npos ? *root : root->directory_at(extra.path.substr(0, slash));
    struct stat status{};
    UniqueFd object(::fcntl(extra.object.get(), F_DUPFD_CLOEXEC, 0));
    if (object && ::fstat(object.get(), &status) == 0)
      folder.add(
          extra.path.substr(slash + 1),
          std::make_shared<HostDevice>(*devfs, options.kernel, std::move(object), status.st_mode & S_IFMT));
  }
  auto add_link = [&](const char* name, const char* target) {
    root->add(name, std::make_shared<GeneratedLink>(*devfs, root->inode_for(name), std::string(target)));
  };
  for (const Link& link : kLinks) add_link(link.name, link.target);
  if (options.terminals) add_link("ptmx", "pts/ptmx");
  for (const char* name : kMountPoints)
    root->add_directory(name, name == std::string_view("pts") ? 0755 : 01777);
  devfs->set_root(std::move(root));
  return devfs;
}

}  // namespace sandbox::vfs
