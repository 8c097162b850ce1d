// StateDirectory: a file for each running sandbox; whoever holds a file's lock is that sandbox.
#pragma once

#include <sys/un.h>

#include <optional>
#include <string>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"
#include "sentry/lifecycle/sandbox_record.h"

namespace sandbox::lifecycle {

// A file of the state directory that this process has locked: flock(2), which the kernel gives up for it when
// it dies, however it dies. Pids alone could not tell: they are used again, and differ between PID
// namespaces.
class Claim {
 public:
  Claim(UniqueFd directory, UniqueFd file, std::string name)
      : directory_(std::move(directory)), file_(std::move(file)), name_(std::move(name)) {}
  ~Claim() { release(); }
  Claim(Claim&&) noexcept = default;
  Claim& operator=(Claim&&) = delete;

  const std::string& name() const { return name_; }
  // What an owner that did not release it has written. Empty for a new one.
  Result<std::string> text() const;
  Result<void> clear();
  // Lines for others to see at once. Errors: those of write.
  Result<void> append(std::string_view lines);
  // The file goes, then its lock. Nothing happens the second time.
  void release();
  // The lock goes, the file stays for whoever tries again.
  void abandon();

 private:
  UniqueFd directory_, file_;
  std::string name_;
};

class StateDirectory {
 public:
  // /run/sandbox for root; else $XDG_RUNTIME_DIR/sandbox or, without that, /tmp/sandbox-UID. Made where it is
  // missing, readable by its owner only. Errors: EPERM: somebody else owns it or may write to it; those of
  // mkdir and open.
  static Result<StateDirectory> open();
  static Result<StateDirectory> open_at(const std::string& path);
  static std::string own_path();

  const std::string& path() const { return path_; }
  std::vector<std::string> names() const;

  // Errors: EBUSY: a live sandbox has that name; those of openat.
  enum class Missing { kCreate, kFail };
  Result<Claim> claim(const std::string& name, Missing missing) const;

  // A socket beside the record, where the sandbox `name` finds who asked it for something. Its name goes with
  // remove_meeting. Errors: EADDRINUSE: another command waits there; those of bind.
  Result<UniqueFd> open_meeting(const std::string& name) const;
  void remove_meeting(const std::string& name) const;
  // The sandbox's side. Errors: ENOENT, ECONNREFUSED: nobody waits there.
  Result<UniqueFd> go_to_meeting(const std::string& name) const;

  // The record of a live sandbox. Errors: ENOENT: none has that name; ESRCH: it has died without cleaning up.
  Result<SandboxRecord> read(const std::string& name) const;

 private:
  StateDirectory(UniqueFd directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}
  sockaddr_un meeting_address(const std::string& name) const;

  UniqueFd directory_;
  std::string path_;
};

}  // namespace sandbox::lifecycle
