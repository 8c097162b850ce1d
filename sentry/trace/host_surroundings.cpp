// The host's files as its kernel shows them to us.
#include <fcntl.h>
#include <fmt/format.h>
#include <mntent.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "platform/host_file.h"
#include "sandbox/unique_fd.h"
#include "sentry/task_status.h"
#include "sentry/trace/surroundings.h"

namespace sandbox::trace {

Result<struct stat> HostSurroundings::status_of(const std::string& path, LastLink last_link) {
  struct stat status;
  const int flags = last_link == LastLink::kKeep ? AT_SYMLINK_NOFOLLOW : 0;
  TRY(host_status(::fstatat(AT_FDCWD, path.c_str(), &status, flags)));
  return status;
}

Result<std::string> HostSurroundings::link_target(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return last_error();
  target.resize(static_cast<size_t>(length));
  return target;
}

Result<std::string> HostSurroundings::head_of(const std::string& path, size_t bytes) {
  // Opening a device or a FIFO may do something.
  const struct stat status = TRY(status_of(path, LastLink::kFollow));
  if (!S_ISREG(status.st_mode)) return err(EINVAL);
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return last_error();
  std::string head(bytes, '\0');
  const ssize_t count = ::pread(file.get(), head.data(), head.size(), 0);
  if (count < 0) return last_error();
  head.resize(static_cast<size_t>(count));
  return head;
}

Result<struct statfs> HostSurroundings::space_at(const std::string& path) {
  struct statfs space;
  TRY(host_status(::statfs(path.c_str(), &space)));
  return space;
}

MountFacts HostSurroundings::mount_at(const std::string& path) {
  std::vector<MountFacts> mounts;
  std::unique_ptr<FILE, int (*)(FILE*)> file(::setmntent("/proc/self/mounts", "re"), &::endmntent);
  char buffer[8192];
  mntent entry;
  while (file && ::getmntent_r(file.get(), &entry, buffer, sizeof buffer) != nullptr) {
    mounts.push_back({.mountpoint = entry.mnt_dir,
                      .type = entry.mnt_type,
                      .source = entry.mnt_fsname,
                      .is_read_only = ::hasmntopt(&entry, "ro") != nullptr,
                      .is_noexec = ::hasmntopt(&entry, "noexec") != nullptr});
  }
  const MountFacts* found =
      mount_above(mounts, path, [](const MountFacts& mount) { return std::string_view(mount.mountpoint); });
  return found != nullptr ? *found : MountFacts{};
}

std::string HostSurroundings::command_of(pid_t host_tid) {
  std::string name = platform::read_host_file(fmt::format("/proc/{}/comm", host_tid)).value_or("");
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

std::optional<Credentials> HostSurroundings::credentials_of(pid_t host_tid) {
  auto text = platform::read_host_file(fmt::format("/proc/{}/status", host_tid));
  if (!text) return std::nullopt;
  return credentials_in(parse_task_status(*text), IdMap::identity(), IdMap::identity());
}

}  // namespace sandbox::trace
