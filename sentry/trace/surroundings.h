// Surroundings: what can be asked of the place where a traced program runs, to explain why a call failed.
#pragma once

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/intercepted_call.h"
#include "sandbox/credentials.h"
#include "sandbox/result.h"

namespace sandbox::trace {

// What decides about a path in the end.
struct MountFacts {
  std::string mountpoint, type, source;
  bool is_read_only = false, is_noexec = false;
  bool is_mask = false;  // the sandbox hides here what the host has
  std::string
      in_words;  // "an overlay: the host's files, writes kept in memory"; "" where nothing is to be added
  std::string advice;  // how the sandbox's user could change it; "" when it is not the sandbox's
};

// Paths are absolute, as the program sees them. Safe to call while the engine runs, from any of its threads.
class Surroundings {
 public:
  virtual ~Surroundings() = default;

  enum class LastLink { kFollow, kKeep };
  virtual Result<struct stat> status_of(const std::string& path, LastLink last_link) = 0;
  virtual Result<std::string> link_target(const std::string& path) = 0;
  // Of a regular file, its first bytes.
  virtual Result<std::string> head_of(const std::string& path, size_t bytes) = 0;
  virtual Result<struct statfs> space_at(const std::string& path) = 0;
  virtual MountFacts mount_at(const std::string& path) = 0;

  // Its name, as prctl(PR_GET_NAME) gives it; "" when it is gone.
  virtual std::string command_of(pid_t host_tid) = 0;
  // Of a thread that is stopped. Nothing when it is gone.
  virtual std::optional<Credentials> credentials_of(pid_t host_tid) = 0;
  // Why the sandbox itself, and no file or limit, lets this call fail with that error; "" when it does not.
  virtual std::string own_refusal(const platform::SyscallEvent& event, Errno error) = 0;
  // That the sandbox's own limit ended a process by SIGKILL, in words; "" when it did not.
  virtual std::string own_kill() = 0;
  // What to try when something is missing inside; "" when nothing is known.
  virtual std::string advice_for_missing(const std::string& path) = 0;
  // Whether the program has a network of its own, without any other machine in it.
  virtual bool has_private_network() = 0;
};

// This machine, without a sandbox.
class HostSurroundings : public Surroundings {
 public:
  Result<struct stat> status_of(const std::string& path, LastLink last_link) override;
  Result<std::string> link_target(const std::string& path) override;
  Result<std::string> head_of(const std::string& path, size_t bytes) override;
  Result<struct statfs> space_at(const std::string& path) override;
  MountFacts mount_at(const std::string& path) override;
  std::string command_of(pid_t host_tid) override;
  std::optional<Credentials> credentials_of(pid_t host_tid) override;
  std::string own_refusal(const platform::SyscallEvent&, Errno) override { return ""; }
  std::string own_kill() override { return ""; }
  std::string advice_for_missing(const std::string&) override { return ""; }
  bool has_private_network() override { return false; }
};

// The mount whose mountpoint is the longest one that `path` lies below; null when there is none. Later ones
// win.
template <typename Mounts, typename MountpointOf>
auto* mount_above(const Mounts& mounts, std::string_view path, MountpointOf mountpoint_of) {
  decltype(&*mounts.begin()) found = nullptr;
  size_t longest = 0;
  for (const auto& mount : mounts) {
    const std::string_view place = mountpoint_of(mount);
    const bool is_above = place == "/" || (path.starts_with(place) &&
                                           (path.size() == place.size() || path[place.size()] == '/'));
    if (!is_above || place.size() < longest) continue;
    longest = place.size();
    found = &mount;
  }
  return found;
}

}  // namespace sandbox::trace
