// bind(2): a socket whose name is a file of the sandbox.
#include <sys/mount.h>
#include <sys/syscall.h>

#include "sentry/calls/handlers.h"
#include "sentry/errand.h"
#include "sentry/scratch_path.h"
#include "sentry/socket_address.h"

namespace sandbox {

namespace {

// The kernel remembers the name that bind got and tells it to everybody who asks the socket or its peer, so
// the workload's own string is bound, not "name in that directory". Whoever binds it must therefore stand
// where that string leads to the real directory. An Errand can: it has a root and a working directory of its
// own.
//
//  - "sock":       the working directory is the real directory.
//  - "/sock":      the root is the real directory.
//  - "/a/b/sock":  in private mounts of its own, the errand puts an empty tmpfs over a directory of /proc
//  that
//    nobody needs, makes /a there, makes /a/b a symlink to the real directory's descriptor in a /proc bound
//    beside it, and takes that tmpfs as its root. The mounts end with the errand: there is nothing to clean
//    up.
//  - "b/sock":     the same, with a working directory in the tmpfs.
//
// The tmpfs holds nothing but directories made of the string's own components and that one link, so a string
// of the workload's cannot lead anywhere else; what it leads to was decided by Vfs::prepare_socket before.
constexpr const char* kScratch = "/proc/driver";

// Nobody uses the file before it has the owner and mode it shall have.
constexpr int kNoPermissions = 0777;

// Of bind itself. Errors: those of bind(2).
Result<void> bind_result(const Errand& errand, const Errand::Outcome& outcome) {
  if (outcome.failed_step == errand.step_count()) return {};
  return err(static_cast<int>(-outcome.result));
}

Result<void> bind_where(const vfs::SocketPlace& place, const char* root, int socket,
                        const UnixAddress& address) {
  Errand errand;
  errand.add(SYS_fchdir, place.directory.get());
  if (root) errand.add(SYS_chroot, root);
  errand.add(SYS_umask, kNoPermissions);
  errand.add(SYS_bind, socket, &address.address, address.length);
  return bind_result(errand, TRY(errand.run_briefly()));
}

// Nothing: this host does not let the sentry make the scratch root.
std::optional<Result<void>> bind_in_scratch(const vfs::SocketPlace& place, const ScratchPath& scratch,
                                            int socket, const UnixAddress& address) {
  std::string proc = kScratch + scratch.proc_directory;
  std::string link = scratch.proc_directory + "/self/fd/" + std::to_string(place.directory.get());
  Errand errand(Errand::Mounts::kPrivate);
  errand.add(SYS_mount, "none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  errand.add(SYS_mount, "none", kScratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=1m");
  errand.add(SYS_mkdir, proc.c_str(), 0700);
  errand.add(SYS_mount, "/proc", proc.c_str(), nullptr, MS_BIND | MS_REC, nullptr);
  errand.add(SYS_chroot, kScratch);
  for (const std::string& directory : scratch.directories) errand.add(SYS_mkdir, directory.c_str(), 0700);
  errand.add(SYS_symlink, link.c_str(), scratch.link.c_str());
  errand.add(SYS_chdir, scratch.working_directory.c_str());
  errand.add(SYS_umask, kNoPermissions);
  errand.add(SYS_bind, socket, &address.address, address.length);
  Result<Errand::Outcome> outcome = errand.run_briefly();
  if (!outcome || outcome->failed_step + 1 < errand.step_count()) return std::nullopt;
  return bind_result(errand, *outcome);
}

Result<void> bind_named(const vfs::SocketPlace& place, const std::string& path, int socket) {
  UnixAddress address(path);
  ScratchPath scratch = scratch_path_for(path);
  switch (scratch.kind) {
    case ScratchPath::Kind::kInWorkingDirectory:
      return bind_where(place, nullptr, socket, address);
    case ScratchPath::Kind::kInRoot:
      return bind_where(place, ".", socket, address);
    case ScratchPath::Kind::kInScratch:
      if (auto result = bind_in_scratch(place, scratch, socket, address)) return *result;
      break;
    case ScratchPath::Kind::kImpossible:
      break;
  }
  // The socket works; only whoever asks it for its name sees less than was given.
  return bind_where(place, nullptr, socket, UnixAddress(place.name));
}

}  // namespace

SyscallResult sys_bind(Call& call, Fd sockfd, InSockaddr pointer, Length length) {
  UniqueFd socket = TRY(call.descriptor(sockfd));
  SocketKind kind = TRY(socket_kind(socket.get()));
  SocketAddress address = TRY(SocketAddress::read(call.memory(), pointer.cast<const void>(), length));
  // See SocketAddress: no path of the workload's choice leads to anything in its empty, read-only root.
  if (kind.domain != AF_UNIX || !address.is_path()) return Reply::run_natively();

  const std::string& path = address.path();
  vfs::SocketPlace place = TRY(call.vfs().prepare_socket(call.caller(), TRY(call.base(kCwd, path)), path));
  TRY(bind_named(place, path, socket.get()));
  TRY(call.vfs().socket_was_bound(call.caller(), place));
  return 0;
}

}  // namespace sandbox
