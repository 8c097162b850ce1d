// Remounting works only on mounts that have a place: a helper process gives the copy one in a namespace of
// its own, remounts each mount, copies the result and sends it home.
#include "platform/remounted_tree.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sstream>
#include <vector>

#include "platform/host_file.h"
#include "platform/mount_calls.h"
#include "platform/passed_descriptors.h"

namespace sandbox::platform {

namespace {

constexpr char kPlace[] = "/tree";  // in the helper's private root

struct PlacedMount {
  std::string path;
  unsigned long flags;  // MS_*, as the mount has them
};

// The octal escapes of /proc/PID/mountinfo (proc(5)).
std::string unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A remount sets all flags anew, and one that a more privileged namespace set may not be left out.
unsigned long flags_of(const std::string& options) {
  static constexpr struct {
    const char* name;
    unsigned long flag;
  } kNames[] = {{"ro", MS_RDONLY},        {"nosuid", MS_NOSUID},   {"nodev", MS_NODEV},
                {"noexec", MS_NOEXEC},    {"noatime", MS_NOATIME}, {"nodiratime", MS_NODIRATIME},
                {"relatime", MS_RELATIME}};
  unsigned long flags = 0;
  std::istringstream words(options);
  for (std::string word; std::getline(words, word, ',');) {
    for (const auto& [name, flag] : kNames) {
      if (word == name) flags |= flag;
    }
  }
  return flags;
}

std::vector<PlacedMount> mounts_below(const std::string& mountinfo, const std::string& place) {
  std::vector<PlacedMount> mounts;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, path, options;
    words >> id >> parent >> device >> root >> path >> options;
    path = unescape(path);
    if (path == place || path.starts_with(place + "/")) mounts.push_back({path, flags_of(options)});
  }
  return mounts;
}

Result<void> make_place(const UniqueFd& tree, const char* root) {
  struct stat info;
  TRY(host_status(fstat(tree.get(), &info)));
  TRY(host_status(mount("sandbox", root, "tmpfs", 0, nullptr)));
  TRY(host_status(chdir(root)));
  const char* relative = kPlace + 1;
  if (S_ISDIR(info.st_mode)) return host_status(mkdir(relative, 0700));
  UniqueFd file(open(relative, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return last_error();
  return {};
}

Result<UniqueFd> remount_in_helper(int directory_fd, const std::string& path, uint64_t attributes) {
  TRY(host_status(unshare(CLONE_NEWNS)));
  UniqueFd tree = TRY(copy_mount_tree(directory_fd, path.c_str()));
  static constexpr char kRoot[] = "/tmp";
  TRY(make_place(tree, kRoot));
  const std::string place = std::string(kRoot) + kPlace;
  TRY(attach_mount(tree, place.c_str()));
  unsigned long added = (attributes & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0) |
                        (attributes & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0) |
                        (attributes & MOUNT_ATTR_NODEV ? MS_NODEV : 0);
  std::string mountinfo = TRY(read_host_file("/proc/self/mountinfo"));
  for (const PlacedMount& placed : mounts_below(mountinfo, place)) {
    TRY(host_status(
        mount("none", placed.path.c_str(), nullptr, MS_REMOUNT | MS_BIND | placed.flags | added, nullptr)));
  }
  return copy_mount_tree(AT_FDCWD, place.c_str());
}

void send_answer(int channel, const Result<UniqueFd>& tree) {
  const int error = tree ? 0 : tree.error().value();
  const int fd = tree ? tree->get() : -1;
  (void)send_message(channel, std::as_bytes(std::span(&error, 1)), std::span(&fd, tree ? 1 : 0));
}

Result<UniqueFd> receive_answer(int channel) {
  int error = EIO;
  ReceivedMessage answer = TRY(receive_message(channel, std::as_writable_bytes(std::span(&error, 1))));
  if (answer.size != sizeof error) return err(EIO);
  if (error != 0) return err(error);
  if (answer.fds.empty()) return err(EIO);
  return std::move(answer.fds[0]);
}

}  // namespace

Result<UniqueFd> copy_tree_remounted(int directory_fd, const std::string& path, uint64_t attributes) {
  int ends[2];
  TRY(host_status(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)));
  UniqueFd mine(ends[0]), theirs(ends[1]);
  pid_t helper = fork();
  if (helper < 0) return last_error();
  if (helper == 0) {
    send_answer(theirs.get(), remount_in_helper(directory_fd, path, attributes));
    _exit(0);
  }
  theirs.reset();
  auto received = receive_answer(mine.get());
  waitpid(helper, nullptr, 0);
  return received;
}

}  // namespace sandbox::platform
