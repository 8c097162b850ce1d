// Opening, locking and reading state files.
#include "sentry/lifecycle/state_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace sandbox::lifecycle {

namespace {

Result<std::string> read_all(int file) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    ssize_t count =
        TRY(host_result(::pread(file, chunk.data(), chunk.size(), static_cast<off_t>(text.size()))));
    if (count == 0) return text;
    text.append(chunk.data(), count);
  }
}

UniqueFd duplicate(const UniqueFd& descriptor) {
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

Result<bool> has_name_still(int file) {
  struct stat status{};
  TRY(host_status(::fstat(file, &status)));
  return status.st_nlink > 0;
}

}  // namespace

Result<std::string> Claim::text() const { return read_all(file_.get()); }

Result<void> Claim::clear() { return host_status(::ftruncate(file_.get(), 0)); }

Result<void> Claim::append(std::string_view lines) {
  ssize_t count = TRY(host_result(::write(file_.get(), lines.data(), lines.size())));
  if (static_cast<size_t>(count) != lines.size()) return err(ENOSPC);
  return {};
}

void Claim::release() {
  if (file_) ::unlinkat(directory_.get(), name_.c_str(), 0);
  file_.reset();
}

void Claim::abandon() { file_.reset(); }

std::string StateDirectory::own_path() {
  if (::geteuid() == 0) return "/run/sandbox";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/') return fmt::format("{}/sandbox", runtime);
  return fmt::format("/tmp/sandbox-{}", ::geteuid());
}

Result<StateDirectory> StateDirectory::open() { return open_at(own_path()); }

Result<StateDirectory> StateDirectory::open_at(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return last_error();
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return last_error();
  struct stat status{};
  TRY(host_status(::fstat(directory.get(), &status)));
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) return err(EPERM);
  return StateDirectory(std::move(directory), path);
}

std::vector<std::string> StateDirectory::names() const {
  std::vector<std::string> names;
  int copy = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (listing == nullptr) return names;
  while (const dirent* entry = ::readdir(listing))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(listing);
  std::ranges::sort(names);
  return names;
}

Result<Claim> StateDirectory::claim(const std::string& name, Missing missing) const {
  const int create = missing == Missing::kCreate ? O_CREAT : 0;
  // Others hold the lock for a moment only, to see whether a file is a leftover.
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 2'000'000};
  for (int patience = missing == Missing::kCreate ? 20 : 0;;) {
    UniqueFd file(
        ::openat(directory_.get(), name.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | create, 0600));
    if (!file) return last_error();
    if (::flock(file.get(), LOCK_EX | LOCK_NB) < 0) {
      if (errno != EWOULDBLOCK) return last_error();
      if (patience-- == 0) return err(EBUSY);
      ::nanosleep(&kNap, nullptr);
      continue;
    }
    // Its last owner may have taken the file away between our open and our lock.
    if (TRY(has_name_still(file.get()))) return Claim(duplicate(directory_), std::move(file), name);
  }
}

// A directory of one's own may have a longer path than an address has room for. Names with a dot in front are
// no records.
sockaddr_un StateDirectory::meeting_address(const std::string& name) const {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = fmt::format("/proc/self/fd/{}/.{}.meeting", directory_.get(), name);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Result<UniqueFd> StateDirectory::open_meeting(const std::string& name) const {
  UniqueFd socket(TRY(host_result(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))));
  const sockaddr_un address = meeting_address(name);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket.get(), generic, sizeof address) < 0) {
    if (errno != EADDRINUSE) return last_error();
    // Left by a command that was killed, unless somebody answers.
    auto answered = go_to_meeting(name);
    if (answered || answered.error() != Errno(ECONNREFUSED)) return err(EADDRINUSE);
    remove_meeting(name);
    TRY(host_status(::bind(socket.get(), generic, sizeof address)));
  }
  TRY(host_status(::listen(socket.get(), 1)));
  return socket;
}

void StateDirectory::remove_meeting(const std::string& name) const {
  ::unlinkat(directory_.get(), fmt::format(".{}.meeting", name).c_str(), 0);
}

Result<UniqueFd> StateDirectory::go_to_meeting(const std::string& name) const {
  UniqueFd socket(TRY(host_result(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))));
  const sockaddr_un address = meeting_address(name);
  TRY(host_status(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)));
  return socket;
}

Result<SandboxRecord> StateDirectory::read(const std::string& name) const {
  UniqueFd file(::openat(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return last_error();
  if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return err(ESRCH);
  return SandboxRecord::parse(TRY(read_all(file.get())));
}

}  // namespace sandbox::lifecycle
